// Where cells have a level: marching squares between their middles.

/** Lines, each a list of [column, row]; outside all cells are 0, so every line closes. */
export function contours(cells, side, level) {
  return joined(pieces(cells, side, level));
}

function pieces(cells, side, level) {
  const value = ([c, r]) => (c < 0 || r < 0 || c >= side || r >= side ? 0 : cells[r * side + c]);
  const found = [];
  for (let r = -1; r < side; r++) {
    for (let c = -1; c < side; c++) {
      const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]];
      const cut = [];
      for (let i = 0; i < 4; i++) {
        // Always from the same end, so that neighbours find the very same place.
        const [a, b] = [corners[i], corners[(i + 1) % 4]].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
        const [u, v] = [value(a), value(b)];
        if (u >= level === v >= level) continue;
        const t = (level - u) / (v - u);
        cut.push([a[0] + t * (b[0] - a[0]) + 0.5, a[1] + t * (b[1] - a[1]) + 0.5]);
      }
      for (let i = 0; i + 1 < cut.length; i += 2) found.push([cut[i], cut[i + 1]]);
    }
  }
  return found;
}

// Pieces that share an end become one line, so that dashes run on.
function joined(all) {
  const ends = new Map();
  const key = ([x, y]) => `${x.toFixed(6)},${y.toFixed(6)}`;
  for (const piece of all) {
    for (const end of piece) ends.set(key(end), [...(ends.get(key(end)) ?? []), piece]);
  }
  const used = new Set();
  const lines = [];
  for (const first of all) {
    if (used.has(first)) continue;
    used.add(first);
    const line = [...first];
    for (;;) {
      const tip = line[line.length - 1];
      const next = ends.get(key(tip)).find((piece) => !used.has(piece));
      if (!next) break;
      used.add(next);
      line.push(key(next[0]) === key(tip) ? next[1] : next[0]);
    }
    lines.push(line);
  }
  return lines;
}
