//! The page around the picture.

use crate::scenario::Scenario;
use crate::verdict::{Outcome, Verdict};

use super::{LANES, books, lane, said_once};

const STYLE: &str = "
body { font: 14px system-ui, sans-serif; margin: 0 24px 48px; color: #222; background: #fff; }
h1 { font-size: 20px; } p { max-width: 70em; }
.verdict { padding: 8px 12px; border-left: 6px solid #2a8; background: #eafaf3; }
.verdict.broken { border-color: #c22; background: #fdeaea; }
svg text { font: 11px system-ui, sans-serif; fill: #333; paint-order: stroke; stroke: #fff;
  stroke-width: 3px; stroke-linejoin: round; }
.heads { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #999; z-index: 1; }
.heads text { font-weight: 600; font-size: 13px; }
.lane { stroke: #ddd; } .life { stroke: #68a; stroke-width: 3; }
.call { stroke: #357; stroke-width: 1.2; } .answer .call { stroke-dasharray: 4 3; }
.lost .call { stroke: #c60; } svg .dies { fill: #c22; font-size: 14px; font-weight: 700; }
svg .label { font-size: 10px; fill: #555; } svg .time { fill: #888; font-size: 10px; }
.fault { fill: #fb3; fill-opacity: .28; } svg .fault-text { fill: #a50; font-weight: 600; }
.wish { fill: #8af; fill-opacity: .28; } svg .wish-text { fill: #25a; font-weight: 600; }
.run { fill: #6a4; } svg .point { fill: #639; font-size: 13px; } svg .told { fill: #25a; }
.blamed .call { stroke: #c22; stroke-width: 2; } .blamed .run { fill: #c22; }
svg .blamed .label, svg .blamed .point { fill: #c22; font-weight: 600; }
.breach line { stroke: #c22; stroke-width: 2; } svg .breach text { fill: #c22; font-weight: 700; }
table { border-collapse: collapse; margin: 0 0 14px; font-size: 13px; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
td, th { border: 1px solid #ccc; padding: 2px 8px; text-align: right; font-weight: 400; }
td.words, th { text-align: left; background: #f6f6f6; } td.words { background: #fff; }
tr.off td { background: #fdeaea; color: #a11; font-weight: 600; }
.noise { display: none; } .noisy .noise { display: inline; }
";

/// Text as HTML takes it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

pub(super) fn page(
    scenario: &Scenario,
    seed: u64,
    (outcome, verdict): (&Outcome, &Verdict),
    (width, height, svg): (f64, f64, &str),
) -> String {
    let title = escaped(&format!("{}, seed {seed}", scenario.id));
    let story = escaped(scenario.story.trim());
    let mut complaints: Vec<(String, usize)> = Vec::new();
    for complaint in verdict.complaints() {
        match complaints.iter_mut().find(|(said, _)| *said == complaint) {
            Some((_, times)) => *times += 1,
            None => complaints.push((complaint, 1)),
        }
    }
    let lines = complaints
        .iter()
        .map(|(said, times)| escaped(&said_once(said, *times)));
    let (class, said) = match complaints.is_empty() {
        true => ("", "all is well".to_owned()),
        false => ("broken", lines.collect::<Vec<_>>().join("<br>")),
    };
    let books = books::table(outcome);
    let heads: String = LANES
        .iter()
        .map(|name| {
            format!(
                r#"<text x="{}" y="18" text-anchor="middle">{name}</text>"#,
                lane(name)
            )
        })
        .collect();
    format!(
        r##"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>
<body><h1>{title}</h1><p>{story}</p><p class="verdict {class}">{said}</p>
{books}
<p>Time goes down, and not to scale: each thing that happened has a row. Arrows are messages (dashed:
answers; ✕: never arrived), ◆ is a commit of the job store, ▪ an artifact that is written, green bars are runs on devices, orange is
a fault and how long it lasts, blue what a client wants. A red line is where a promise is broken; the
jobs that it is about are red, if others are not.
<label><input type="checkbox" onchange="document.body.classList.toggle('noisy')"> show polls,
watches and what they told, too</label></p>
<div class="heads"><svg width="{width}" height="26">{heads}</svg></div>
<svg width="{width}" height="{height}" xmlns="http://www.w3.org/2000/svg"><defs><marker id="head"
viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path
d="M0 0L8 4L0 8z" fill="#357"/></marker></defs>
{svg}</svg></body></html>
"##
    )
}
