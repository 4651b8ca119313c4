"""flowcore's flows in nessai, pocoMC and aspire, beside the flows that these come with."""
