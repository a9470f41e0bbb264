/**
 * The look: three sets of colours (light, dark, print) for one document. Lines and surfaces of Okabe and Ito's palette,
 * darkened for white and lightened for black until they stand out by 3:1 at least; text by 7:1.
 */
const light = `
--paper:#fff;--ink:#16191d;--soft:#4d545e;--faint:#e3e6ea;--rule:#b9bfc8;--panel:#f6f7f9;
--c0:#0062b8;--c1:#00785d;--c2:#c04a00;--c3:#8a3f86;--c4:#a8326a;--c5:#6d6200;--c6:#00708f;--c7:#7a4a2a;--cf:#5c6570;
--good:#006b3d;--bad:#b3261e;--even:#4d545e;--open:#7a5b00;--warn:#fff4d6;--warnline:#c78a00;
--p0:#0072b2;--p1:#e69f00;--p2:#b4bac3;--p3:#56b4e9;--p4:#009e73;--p5:#f0e442;--p6:#cc79a7;--p7:#d55e00;--p8:#7f5fb0;--p9:#8fd19e;--p10:#a6761d;--p11:#d9dde3;
--hatch:#ffffffb0;--keydark:#fff;--keylight:#101214;`;

const dark = `
--paper:#14171b;--ink:#eceff3;--soft:#aeb6c1;--faint:#2a2f37;--rule:#4a525e;--panel:#1b1f25;
--c0:#5fb2ff;--c1:#4fd1ab;--c2:#ff9d57;--c3:#d79be0;--c4:#ff8fbe;--c5:#d8ca5a;--c6:#5fd0ef;--c7:#d9a67c;--cf:#a3acb8;
--good:#5fd69a;--bad:#ff8f85;--even:#aeb6c1;--open:#e8c25a;--warn:#33290f;--warnline:#d29a1b;
--p0:#2f8fd0;--p1:#e69f00;--p2:#6b737f;--p3:#56b4e9;--p4:#1fae85;--p5:#e5da4a;--p6:#cc79a7;--p7:#e0702a;--p8:#9a7fc7;--p9:#8fd19e;--p10:#b58a3a;--p11:#8a929d;
--hatch:#00000070;--keydark:#fff;--keylight:#101214;`;

const colours = ['ink', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7', 'cf', 'good', 'bad', 'even', 'open'];
/** Surfaces so dark that what stands in them must be white. */
const darkPaints = [0, 7, 8, 10];
const paints = Array.from({ length: 12 }, (_, i) => i);

const seriesRules = colours.map((name) => `.${name}{--own:var(--${name})}`).join('');
const paintRules = paints
  .map(
    (i) =>
      `.p${i}{fill:url(#paint${i})}.fill${i}{fill:var(--p${i})}.k${i}{stroke:var(--p${i});fill:var(--key${darkPaints.includes(i) ? 'dark' : 'light'})}`,
  )
  .join('');

export const css = `
:root{color-scheme:light dark;${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",Arial,sans-serif;background:var(--paper);color:var(--ink);-webkit-text-size-adjust:100%}
body{max-width:1168px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:4px 0 6px;font-weight:650;letter-spacing:-.015em}
h2{font-size:21px;line-height:1.25;margin:0 0 2px;font-weight:650;letter-spacing:-.01em}
h3{font-size:15px;margin:28px 0 8px;font-weight:650}
h3 span{font-weight:400;color:var(--soft);margin-left:10px}
section{margin-top:44px;padding-top:22px;border-top:1px solid var(--faint)}
.kicker{font-size:12.5px;font-weight:650;letter-spacing:.07em;text-transform:uppercase;color:var(--soft);margin:0}
.lead{color:var(--soft);margin:0 0 16px;max-width:96ch}
.about{color:var(--soft);margin:0}
.about b{color:var(--ink);font-weight:600}
.banner{margin:24px 0 0;padding:14px 18px;background:var(--warn);border:1px solid var(--warnline);border-left-width:6px;border-radius:4px}
.banner b{display:block}
.banner ul{margin:4px 0 0;padding-left:20px}
.heads{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,230px),1fr));gap:12px;margin:28px 0 0;padding:0;list-style:none}
.heads li{background:var(--panel);border-radius:6px;padding:14px 16px 12px}
.heads .what{font-size:13px;color:var(--soft)}
.heads .big{font-size:27px;line-height:1.25;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.heads .big small{font-size:15px;font-weight:500;letter-spacing:0;color:var(--soft);margin-left:4px}
.heads .more{font-size:13px;font-variant-numeric:tabular-nums}
.heads .more,.heads .more span{display:block}
.heads .more span{color:var(--soft)}
.plots{display:grid;gap:26px 32px;margin-top:8px}
.plots+.plots{margin-top:26px}
.plots.half{grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr))}
.plots.third{grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr))}
.plots.half figure{max-width:600px}.plots.third figure{max-width:400px}.plots.alone figure{max-width:none}
figure{margin:0;break-inside:avoid}
figcaption{margin:0 0 6px;line-height:1.35}
figcaption b{display:block;font-size:15px;font-weight:650}
figcaption span{font-size:12.5px;color:var(--soft)}
svg{display:block;width:100%;height:auto;overflow:visible}
svg.swatch,svg.defs{width:auto}
svg.defs{position:absolute}
svg text{font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums}
svg .tick,svg .label{fill:var(--soft)}
svg .head{font-weight:650;fill:var(--soft)}
svg .value{font-weight:600}
svg .key{font-size:10.5px;font-weight:650;paint-order:stroke;stroke-width:3px;stroke-linejoin:round}
.grid{stroke:var(--faint);stroke-width:1}
.base,.unity{stroke:var(--rule);stroke-width:1}
.rail{stroke:var(--faint);stroke-width:2}
.line{fill:none;stroke:var(--own);stroke-width:2;stroke-linejoin:round}
.thin{fill:none;stroke:var(--own);stroke-width:1;opacity:.5}
.interval{fill:none;stroke:var(--own);stroke-width:1.4}
.mark{fill:var(--own);stroke:var(--paper);stroke-width:.8}
.floor-level{stroke:var(--cf);stroke-width:1.4;stroke-dasharray:5 4}
.margin{fill:var(--faint)}
svg .verdict,td.good,td.bad,td.even,td.open{fill:var(--own);color:var(--own);font-weight:600}
td small{font-weight:400;color:var(--soft);font-size:12.5px;margin-left:8px}
.hatch{stroke:var(--hatch);fill:none;stroke-width:1.6}
.dot{fill:var(--hatch)}
.ink.interval{stroke:var(--ink)}
${seriesRules}${paintRules}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;margin:0 0 14px;padding:0;list-style:none;font-size:13.5px}
.legend li{display:flex;align-items:center;gap:8px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums;min-width:60%}
th{font-weight:600;color:var(--soft);font-size:12.5px;vertical-align:bottom;border-bottom:1px solid var(--rule)}
th,td{padding:4px 12px;text-align:right;white-space:nowrap}
th:first-child,td:first-child{padding-left:0}
td{border-bottom:1px solid var(--faint);vertical-align:top}
.text{text-align:left}
td.text{overflow-wrap:anywhere}
.strong{font-weight:650}
tr.engine td.text:nth-child(2){font-weight:600}
tr.first td{border-top:1px solid var(--rule)}
.conditions{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:0 32px;margin:0}
.conditions div{display:grid;grid-template-columns:122px 1fr;gap:12px;padding:5px 0;border-bottom:1px solid var(--faint)}
.conditions dt{color:var(--soft)}
.conditions dd{margin:0;overflow-wrap:anywhere}
.conditions .full{grid-column:1/-1}
.conditions.guards div{grid-template-columns:minmax(122px,300px) 1fr}
.notes{color:var(--soft);padding-left:20px;margin:8px 0}
.method li{margin:4px 0}
footer{margin-top:44px;color:var(--soft);font-size:13px;border-top:1px solid var(--faint);padding-top:14px}
@page{size:A4;margin:14mm 13mm}
@media print{
:root{color-scheme:light;${light}--ink:#000;--soft:#000;--faint:#d5d9de;--paper:#fff}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
html{font-size:10.5px}
body{max-width:none;padding:0}
h1{font-size:22px}h2{font-size:16px}h3{font-size:12px}
h3{break-after:avoid}
.intro{break-inside:avoid;break-after:avoid;padding-bottom:230px;margin-bottom:-230px}
section{margin-top:22px;padding-top:12px}
.lead{margin-bottom:10px}
.banner,.heads,tr{break-inside:avoid}
.heads{grid-template-columns:repeat(4,1fr);gap:8px;margin-top:16px}
.heads li{padding:8px 10px}.heads .big{font-size:19px}.heads .big small{font-size:11px}.heads .what,.heads .more{font-size:9.5px}
.plots,.plots.half,.plots.third{gap:16px 20px;grid-template-columns:1fr 1fr}
.plots.third{grid-template-columns:1fr 1fr 1fr;gap:14px}
.plots.alone{grid-template-columns:1fr}
figcaption b{font-size:11.5px}figcaption span{font-size:9.5px}
.legend{font-size:10px;gap:2px 14px}
.wide{overflow:visible}
table{font-size:9.2px;width:100%}
th{font-size:9px}th,td{padding:2px 5px}
td.text,th{white-space:normal}
thead{display:table-header-group}
.conditions{grid-template-columns:1fr 1fr}
.conditions div{grid-template-columns:92px 1fr;padding:3px 0}
footer{font-size:9.5px;margin-top:24px}
}`;
