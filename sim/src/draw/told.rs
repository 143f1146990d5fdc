//! What clients were told, beside their lane.

use std::collections::{BTreeMap, BTreeSet};

use qrtx::job::state::State;
use qrtx_testkit::history::News;

use super::{Picture, lane, page};

/// What fits to the left of the clients.
const LABEL_CHARS_MAX: usize = 27;

impl Picture<'_> {
    pub(super) fn clients(&mut self) {
        let all = self.verdict.all();
        let broken: BTreeSet<_> = all.map(|broken| broken.promise).collect();
        // Each event and each look at a state is much to read, unless it is what is wrong.
        let noise = |about: &str| if broken.contains(about) { "" } else { "noise" };
        for told in self.outcome.history.told.clone() {
            let job = self.outcome.ordinals.get(&told.job).copied();
            let name = job.map(|job| format!("job {job}")).unwrap_or_default();
            let (noise, text) = match &told.news {
                News::Accepted { .. } => ("", format!("{name} is accepted")),
                News::Results { state, counts, .. } => ("", came(&name, *state, counts)),
                News::Receipt { receipt, .. } => {
                    let receipt = receipt.trim_start_matches("CANCEL_RECEIPT_");
                    ("", format!("{name}: {receipt}"))
                }
                News::Event { seq, kind, .. } => {
                    (noise("events_are_gapless"), format!("{name}: {seq} {kind}"))
                }
                News::Update { seq, stage, .. } => (
                    noise("events_are_gapless"),
                    format!("{name}: {seq} {stage}"),
                ),
                News::Explained { state, .. } => {
                    ("noise", format!("{name} is explained: {}", state.name()))
                }
                News::Details(details) => {
                    let noise = noise("details_are_true");
                    (noise, format!("{name}: {} details", details.len()))
                }
                News::History(_) => ("noise", format!("{name}: its history")),
                News::Beside(jobs) => {
                    let count = jobs.len();
                    ("noise", format!("{name} is listed beside {count}"))
                }
                News::Sifted { part, found, .. } => {
                    let is = if *found { "is" } else { "is not" };
                    let noise = noise("answers_agree");
                    (noise, format!("{name} {is} listed by {part}"))
                }
                News::Listed(state) => {
                    let state = state.map_or("nothing", |state| state.name());
                    ("noise", format!("{name} is listed as {state}"))
                }
                News::Shown(shown) => {
                    let noise = noise("statuses_are_true");
                    (
                        noise,
                        format!("{name} is {} after {}", shown.state.name(), shown.seq),
                    )
                }
                News::Public(state) => {
                    let noise = noise("public_never_goes_back");
                    (noise, format!("{name} is shown as {state:?}"))
                }
            };
            let class = format!("{noise} {}", self.class(job));
            let (x, y) = (lane("clients") - 8.0, self.rows.y(told.at));
            let text = page::escaped(&text);
            self.put(format_args!(
                r#"<g class="{class}"><text class="label told" x="{x}" y="{y}" text-anchor="end">{text}</text></g>"#
            ));
        }
    }
}

/// What came of a job, with as many of its counts as a label has room for.
fn came(name: &str, state: State, counts: &BTreeMap<String, i64>) -> String {
    let mut text = format!("{name}: {}", state.name());
    for (bits, count) in counts {
        let one = format!(" {bits}:{count}");
        if text.len() + one.len() > LABEL_CHARS_MAX {
            return text + " …";
        }
        text += &one;
    }
    text
}
