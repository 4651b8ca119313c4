"""The command `python -m flowcore.teaching`: what a lecturer does with a class's files."""

from typing import Annotated

from typer import Option, Typer

from .exams import EXAMS, exam_text

app = Typer(add_completion=False, help="Homework of the course.", no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """Keeps the commands' names, also if there is one command only."""


@app.command("exam")
def print_exam(
    seed: Annotated[int, Option(min=0, help="Keep it secret: it gives the numbers.")],
    number: Annotated[int, Option(min=1, max=len(EXAMS), help="Which of the exams.")] = 1,
    answers: Annotated[bool, Option("--answers", help="Print answers and points instead.")] = False,
) -> None:
    """Print an exam of 60 minutes and 40 points, in Markdown."""
    print(exam_text(seed, number, answers), end="")


if __name__ == "__main__":
    app(prog_name="python -m flowcore.teaching")
