"""The page's style: light and dark as the reader's system has it, nothing loaded from anywhere."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6678; --paper: #fff; --rule: #dde2ea; --panel: #f5f7fa;
  --good: #1b7f4b; --bad: #b3261e; --odd: #9a6700; --s0: #2b6cb0; --s1: #8a5cc2; --s2: #c2410c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa6b8; --paper: #12161d; --rule: #2b3340; --panel: #1a2029;
    --good: #4cc38a; --bad: #ff7b72; --odd: #e3b341; --s0: #6cb0f0; --s1: #b79cf0; --s2: #ff9f66; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem; }
header { border-left: .5rem solid var(--soft); padding: .25rem 0 .25rem 1.25rem; }
header h1 { margin: 0; font-size: 2.4rem; line-height: 1.1; text-transform: capitalize; }
header.passed { border-color: var(--good); } header.passed h1 { color: var(--good); }
header.failed { border-color: var(--bad); } header.failed h1 { color: var(--bad); }
header.invalid { border-color: var(--odd); } header.invalid h1 { color: var(--odd); }
header .knee { font-size: 1.15rem; font-weight: 600; margin-bottom: 0; }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.15rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(12rem, 1fr)); gap: .75rem; margin: 0; }
.tiles div { background: var(--panel); border-radius: .5rem; padding: .75rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
small { color: var(--soft); font-size: .8rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; }
th:first-child, td:first-child, td:nth-child(2):last-child, td:nth-child(2):nth-last-child(3) { text-align: left; }
td:nth-child(2):last-child, td:nth-child(2):nth-last-child(3) { white-space: normal; }
.beyond { color: var(--bad); } .odd { color: var(--odd); }
figure { margin: .5rem 0 1.25rem; } figcaption { color: var(--soft); font-size: .85rem; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .label { fill: var(--soft); } svg .end { text-anchor: end; } svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--rule); } svg .bar { fill: var(--s0); }
svg line.limit { stroke: var(--bad); stroke-dasharray: 4 4; } svg text.limit { fill: var(--bad); }
svg line.knee { stroke: var(--good); stroke-width: 2; } svg text.knee { fill: var(--good); }
svg .line { fill: none; stroke-width: 2; } svg .line.s0 { stroke: var(--s0); } svg .line.s1 { stroke: var(--s1); }
svg .line.s2 { stroke: var(--s2); } svg .dot.s0 { fill: var(--s0); } svg .dot.s1 { fill: var(--s1); }
svg .dot.s2 { fill: var(--s2); } svg text.s0 { fill: var(--s0); } svg text.s1 { fill: var(--s1); }
svg text.s2 { fill: var(--s2); }
"""
