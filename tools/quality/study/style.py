"""The style gives the report's page its look, in light and in dark, on a telephone and on paper."""

STYLE = """
:root { --paper: #fff; --ink: #1c1c1c; --faint: #d7d7d7; --soft: #595959; --own: #0b5cad; --other: #6b6b6b;
  --good: #11662f; --bad: #a1260d; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181b; --ink: #ececec; --faint: #3a3d42;
  --soft: #b0b0b0; --own: #7db8ff; --other: #bdbdbd; --good: #7fd69a; --bad: #ff9d86; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; }
h2 { margin-top: 3rem; line-height: 1.25; }
p, li { max-width: 48rem; }
a { color: var(--own); }
.agrees { color: var(--good); } .differs { color: var(--bad); }
.drawings { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
figure { margin: 0; max-width: 30rem; }
figcaption { font-weight: 600; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg .tick { fill: var(--soft); font-size: 11px; }
svg line.grid { stroke: var(--faint); } svg line.chance { stroke: var(--soft); stroke-dasharray: 4 3; }
svg line.other { stroke: var(--other); stroke-width: 2; } svg circle.other { fill: var(--other); }
svg line.chosen { stroke: var(--own); stroke-width: 3; } svg circle.chosen { fill: var(--own); }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--faint);
  vertical-align: top; }
th[scope="row"] { position: sticky; left: 0; background: var(--paper); white-space: nowrap;
  font-weight: 500; }
small { color: var(--soft); white-space: nowrap; display: block; }
@media print { .wide { overflow: visible; } }
"""
