"""The style sheet of the pages for a browser: light and dark, narrow and wide, and on paper. Pure."""

from collections.abc import Mapping

#: Colours by what they are for; the marks are named as in `marks`.
LIGHT = {
    "paper": "#f4eeec",
    "card": "#ffffff",
    "ink": "#33242a",
    "soft": "#6a555c",
    "line": "#dccfd2",
    "wine": "#7b1e3a",
    "rest": "#f0e8e9",
    "sign": "#ffffff",
    "good": "#e9f3ec",
    "bad": "#fdeeec",
    "ok": "#2f6b45",
    "late": "#1f5f93",
    "failed": "#b3261e",
    "cut": "#7340a8",
    "missed": "#8a5a0c",
    "busy": "#55606b",
}
DARK = {
    "paper": "#171214",
    "card": "#241b1f",
    "ink": "#f3e8ea",
    "soft": "#cdbcc1",
    "line": "#57464c",
    "wine": "#eeabbe",
    "rest": "#382b30",
    "sign": "#1b1417",
    "good": "#22342a",
    "bad": "#43282a",
    "ok": "#8cc79c",
    "late": "#8fc3ea",
    "failed": "#ff9a8c",
    "cut": "#cdb0f7",
    "missed": "#dfb25a",
    "busy": "#b8c2cc",
}
_FILLED = ("ok", "late", "failed", "cut", "missed", "busy")
_RULES = """\
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);overflow-wrap:anywhere;-webkit-text-size-adjust:100%;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
header,main,footer{max-width:1120px;margin:0 auto;padding:0 16px}
header{padding-top:24px}
footer{padding-top:8px;padding-bottom:32px;color:var(--soft);font-size:14px}
h1,h2,h3{line-height:1.25;margin:0;color:var(--wine)}
h1,h2{font-family:Georgia,"Times New Roman",serif;font-weight:600}
h1{font-size:28px}
h2{font-size:22px}
h3{font-size:16px;margin:24px 0 8px}
p{margin:6px 0}
a{color:var(--wine)}
:focus-visible{outline:3px solid var(--late);outline-offset:2px;border-radius:3px}
.soft{color:var(--soft);font-weight:400}
code{font:14px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
background:var(--rest);padding:1px 5px;border-radius:4px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px 20px;
margin:16px 0}
.verdict{background:var(--good);border:1px solid var(--ok);border-left-width:8px}
.verdict.trouble{background:var(--bad);border-color:var(--failed)}
.verdict h2{color:var(--ink);font-size:24px}
.verdict ul{margin:10px 0 0;padding:0 0 0 20px}
.verdict li{margin:6px 0}
.verdict code{background:var(--card)}
.verdict .figures{padding:0}
.figures,.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:10px 0;padding:0;list-style:none}
.legend{font-size:14px}
.badge{display:inline-block}
.icon{width:15px;height:15px;vertical-align:-2px;overflow:visible}
.icon use{transform:translate(7.5px,7.5px)}
.swatch{width:28px;height:15px;vertical-align:-2px}
.drawings{position:absolute;width:0;height:0}
.sign{fill:none;stroke:var(--sign);stroke-width:1.9;stroke-linecap:round;stroke-linejoin:round}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 16px;margin:10px 0 0}
dt{color:var(--soft)}
dd{margin:0}
table{min-width:min(100%,560px);border-collapse:collapse;margin:12px 0 0;font-size:15px;line-height:1.4}
caption{text-align:left;color:var(--soft);font-size:14px;padding:0 0 4px}
th,td{text-align:left;vertical-align:top;padding:6px 14px 6px 0;border-top:1px solid var(--line);
overflow-wrap:break-word}
th:last-child,td:last-child{padding-right:0}
.stacked th,.stacked td{overflow-wrap:anywhere;min-width:9em}
.stacked tbody th{min-width:11em}
thead th{color:var(--soft);font-weight:600;font-size:14px;border-top:0}
tbody th{font-weight:600}
details{margin:12px 0 0}
summary{cursor:pointer;color:var(--wine);font-weight:600;padding:4px 0}
svg text{fill:var(--soft);font-size:12px}
.months{display:flex;flex-wrap:wrap;gap:14px 18px;margin:8px 0 0;padding:0;list-style:none}
.months li{width:110px}
.months span{display:block;font-size:12px;white-space:nowrap;color:var(--soft)}
.months svg{display:block;width:110px}
.empty{fill:var(--line)}
.holes{fill:url(#holes)}
.plain{fill:url(#plain)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:0 32px}
.bars{display:block;width:100%;height:96px;overflow:visible}
.axis{stroke:var(--line);stroke-width:1}
.bars rect{fill:var(--wine)}
.bars .down{fill:url(#hatch-down)}
.bars .ground{fill:var(--card)}
.ends{display:flex;justify-content:space-between;font-size:13px;color:var(--soft)}
.day{display:grid;grid-template-columns:150px minmax(0,1fr);gap:0 12px;align-items:center;padding:8px 0;
border-top:1px solid var(--line)}
.day h3{margin:0;font:600 15px/22px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
.day .soft{display:block;font-size:13px;line-height:18px;font-weight:400}
.lane-name{font-size:14px;color:var(--soft);line-height:20px}
.lane{display:block;width:100%;height:20px;overflow:visible}
.lane.hours{height:16px}
.fold{padding:8px 0;border-top:1px solid var(--line);color:var(--soft);margin:0}
.track{fill:var(--rest)}
.tick{stroke:var(--soft);stroke-width:1;opacity:.35}
.link{stroke:var(--late);stroke-width:2}
.from{fill:var(--card);stroke:var(--late);stroke-width:2}
.edge{stroke:var(--ink);stroke-width:1}
.down{fill:url(#hatch-down)}
.asleep{fill:url(#hatch-asleep)}
.jump{fill:url(#hatch-jump)}
@media (max-width:640px){
section{padding:14px 14px 16px}
h1{font-size:24px}
.verdict h2{font-size:20px}
dl{grid-template-columns:minmax(0,1fr);gap:0}
dd{margin:0 0 6px}
.day{grid-template-columns:minmax(0,1fr)}
table{font-size:14px}
th,td{padding-right:10px}
.months{gap:12px 8px}
.months li,.months svg{width:98px}
.stacked tbody,.stacked tr,.stacked td,.stacked tbody th{display:block}
.stacked thead th,.stacked tbody th,.stacked td{min-width:0}
.stacked thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.stacked tr{border-top:1px solid var(--line);padding:8px 0}
.stacked td,.stacked tbody th{border:0;padding:0}
}
@media print{
body{background:none;font-size:12px}
header,main,footer{max-width:none;padding-left:0;padding-right:0}
section{border-radius:0}
table,code,.badge,.legend,.soft,caption,thead th{font-size:11px}
h2,h3,caption{break-after:avoid}
tr,.months li,.day,.charts>div{break-inside:avoid}
svg,.verdict{print-color-adjust:exact;-webkit-print-color-adjust:exact}
details::details-content{content-visibility:visible;display:block;height:auto}
summary{list-style:none}
}
"""


def _variables(colours: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in colours.items())


STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
    + "\n".join(f".{name}{{fill:var(--{name})}}" for name in _FILLED)
    + f"\n{_RULES}"
)
