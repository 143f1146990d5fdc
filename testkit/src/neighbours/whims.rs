//! What a double does wrong, as plain data: a list of rules, of which the first that fits a call
//! is applied to it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use qrtx::ports::Clock;
use tonic::{Code, Response, Status};

use super::call::Method;
use super::damage::Damage;

/// One way to misbehave. The work of a call is its run, its compilation or its tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whim {
    /// Refuses before any work.
    Refuse {
        /// The status.
        code: Code,
        /// Its message.
        message: String,
        /// A RetryInfo of so many milliseconds.
        retry_ms: Option<u64>,
        /// Whether it says who refused.
        evidence: Evidence,
    },
    /// Does no work and never answers.
    Hang,
    /// Waits for so many milliseconds on the double's clock, then does as it should.
    Delay(u64),
    /// Does the work, and answers bytes that are no message.
    Garbage,
    /// Does the work, and the answer is lost.
    RunThenLoseReply(Loss),
    /// Runs the circuit with all shots and says that it failed. Only ExecuteCircuit.
    RunThenFail(Code, Evidence),
    /// One shot too many in the counts. Only ExecuteCircuit, as the next two.
    WrongSum,
    /// A negative count; the sum is right.
    NegativeCounts,
    /// Keys one bit too long; the sum is right.
    WrongWidth,
    /// A circuit without bytes. Only calls that answer with a circuit.
    EmptyCircuit,
    /// ExecuteCircuit answers with the counts of another job, if there is one, else of another
    /// seed; CompileCircuit and CompileJob with the circuit of another program.
    AnswerForAnotherJob,
    /// Adds so many bytes to the answer, in a field that its reader skips. Not WatchExecution.
    HugeAnswer(usize),
}

/// Whether an error carries the ErrorInfo of its service: without one it may come from anybody
/// on the way, and proves nothing (D18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// With ErrorInfo.
    ErrorInfo,
    /// Only code and message.
    Nothing,
}

/// How an answer gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The stream breaks off after the headers.
    Reset,
    /// UNAVAILABLE without details, as a proxy says it.
    Unavailable,
    /// Silence until the caller gives up.
    Silence,
}

impl Whim {
    /// A refusal that says who refused, without RetryInfo.
    pub fn refuse(code: Code, message: &str) -> Self {
        let evidence = Evidence::ErrorInfo;
        Self::Refuse {
            code,
            message: message.to_owned(),
            retry_ms: None,
            evidence,
        }
    }

    /// Whether the whim means something for `method`; where it does not, it is not used up.
    fn fits(&self, method: Method) -> bool {
        use Method::{CompileCircuit, CompileJob, ExecuteCircuit, OptimizeCircuit, WatchExecution};
        match self {
            Self::Refuse { .. } | Self::Hang | Self::Delay(_) | Self::Garbage => true,
            Self::RunThenLoseReply(_) | Self::HugeAnswer(_) => method != WatchExecution,
            Self::RunThenFail(..) | Self::WrongSum | Self::NegativeCounts | Self::WrongWidth => {
                method == ExecuteCircuit
            }
            Self::EmptyCircuit => matches!(method, CompileCircuit | CompileJob | OptimizeCircuit),
            Self::AnswerForAnotherJob => {
                matches!(method, ExecuteCircuit | CompileCircuit | CompileJob)
            }
        }
    }
}

/// Which calls a rule is about; an empty scope is about all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only this call.
    pub method: Option<Method>,
    /// Only this job. ExecuteCircuit and CompileJob name it, the calls of ExecutionControl by
    /// their execution. For the other compile calls it is the request id, the first folder of
    /// the reference, or any text in the source.
    pub job: Option<String>,
}

impl Scope {
    /// All calls of one method.
    pub fn method(method: Method) -> Self {
        Self {
            method: Some(method),
            job: None,
        }
    }

    /// All calls made for one job.
    pub fn job(job: &str) -> Self {
        Self {
            method: None,
            job: Some(job.to_owned()),
        }
    }

    /// Narrows the scope to one method.
    pub fn on(self, method: Method) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }
}

/// A whim, where it applies, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which calls.
    pub scope: Scope,
    /// How many of them; `None` for all.
    pub times: Option<u32>,
    /// What goes wrong.
    pub whim: Whim,
}

/// The rules of one double. Clones share them; they may be changed while calls are under way.
#[derive(Debug, Clone, Default)]
pub struct Whims(Arc<Mutex<Vec<Rule>>>);

impl Whims {
    /// Adds a rule behind the others.
    pub fn add(&self, rule: Rule) {
        self.0.lock().expect("no holder panics").push(rule);
    }

    /// For the next `times` calls of `method`.
    pub fn next(&self, times: u32, method: Method, whim: Whim) {
        self.add(Rule {
            scope: Scope::method(method),
            times: Some(times),
            whim,
        });
    }

    /// For every call of `method`.
    pub fn always(&self, method: Method, whim: Whim) {
        self.add(Rule {
            scope: Scope::method(method),
            times: None,
            whim,
        });
    }

    /// For every call made for `job`.
    pub fn for_job(&self, job: &str, whim: Whim) {
        self.add(Rule {
            scope: Scope::job(job),
            times: None,
            whim,
        });
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.0.lock().expect("no holder panics").clear();
    }

    /// The rules that are not used up, so that a test can see that its fault took place.
    pub fn left(&self) -> Vec<Rule> {
        self.0.lock().expect("no holder panics").clone()
    }

    /// The whim of a call that is for the jobs `is_for` says yes to.
    pub(super) fn take(&self, method: Method, is_for: impl Fn(&str) -> bool) -> Option<Whim> {
        let mut rules = self.0.lock().expect("no holder panics");
        let at = rules.iter().position(|rule| {
            rule.whim.fits(method)
                && rule.times != Some(0)
                && rule.scope.method.is_none_or(|wanted| wanted == method)
                && rule.scope.job.as_deref().is_none_or(&is_for)
        })?;
        let Some(times) = &mut rules[at].times else {
            return Some(rules[at].whim.clone());
        };
        *times -= 1;
        if *times == 0 {
            Some(rules.remove(at).whim)
        } else {
            Some(rules[at].whim.clone())
        }
    }
}

/// Does what a whim does before the work; `refusal` dresses an error as the service does.
pub(super) async fn before<C: Clock>(
    whim: Option<&Whim>,
    clock: &C,
    refusal: impl FnOnce(Code, &str, Option<Duration>) -> Status,
) -> Result<(), Status> {
    match whim {
        Some(Whim::Hang) => std::future::pending().await,
        Some(Whim::Delay(ms)) => {
            clock.sleep(Duration::from_millis(*ms)).await;
            Ok(())
        }
        Some(Whim::Refuse {
            code,
            message,
            retry_ms,
            evidence,
        }) => Err(match (evidence, retry_ms.map(Duration::from_millis)) {
            (Evidence::ErrorInfo, retry) => refusal(*code, message, retry),
            (Evidence::Nothing, None) => Status::new(*code, message),
            (Evidence::Nothing, Some(retry)) => super::refusal::later(*code, message, retry),
        }),
        _ => Ok(()),
    }
}

/// Does what a whim does to a good answer.
pub(super) async fn after<T>(whim: Option<&Whim>, answer: T) -> Result<Response<T>, Status> {
    let mut answer = Response::new(answer);
    let damage = match whim {
        Some(Whim::Garbage) => Damage::Garbage,
        Some(Whim::HugeAnswer(bytes)) => Damage::Pad(*bytes),
        Some(Whim::RunThenLoseReply(Loss::Reset)) => Damage::Reset,
        Some(Whim::RunThenLoseReply(Loss::Unavailable)) => {
            return Err(Status::unavailable("upstream connect error or disconnect"));
        }
        Some(Whim::RunThenLoseReply(Loss::Silence)) => std::future::pending().await,
        _ => return Ok(answer),
    };
    answer.extensions_mut().insert(damage);
    Ok(answer)
}
