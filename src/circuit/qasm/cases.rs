//! What a condition comes to: the states of qubits in which it holds.

use std::collections::BTreeMap;

use super::elaborate::Elaborator;
use super::fault::{Fault, quoted};
use super::question::{Question, Wanted, largest, undecided};
use super::sources::Source;
use super::syntax::Operand;

/// Values of qubits that must all be as said.
pub(super) type Case = BTreeMap<u32, bool>;

/// What a condition comes to.
pub(super) struct Cases {
    /// What holds, or what does not: never, if there is none.
    pub(super) case: Option<Case>,
    pub(super) denied: bool,
}

impl Cases {
    fn new(case: Option<Case>) -> Self {
        Self {
            case,
            denied: false,
        }
    }

    /// When the condition holds: in one of these cases, of which no two can be at once.
    pub(super) fn holding(&self) -> Vec<Case> {
        match self.denied {
            false => self.case.iter().cloned().collect(),
            true => complement(self.case.as_ref()),
        }
    }

    /// When it does not.
    pub(super) fn failing(&self) -> Vec<Case> {
        match self.denied {
            false => complement(self.case.as_ref()),
            true => self.case.iter().cloned().collect(),
        }
    }
}

/// Steps that a term of a condition takes beside those for its bits.
const STEPS_PER_TERM: usize = 6;

/// The first qubit is otherwise; it is as said and the second otherwise; and so on.
fn complement(case: Option<&Case>) -> Vec<Case> {
    let Some(case) = case else {
        return vec![Case::new()];
    };
    let mut as_said = Case::new();
    let mut cases = Vec::with_capacity(case.len());
    for (qubit, when) in case {
        let mut other = as_said.clone();
        other.insert(*qubit, !when);
        cases.push(other);
        as_said.insert(*qubit, *when);
    }
    cases
}

/// Whether both can be at once.
pub(super) fn agree(one: &Case, other: &Case) -> bool {
    let mut bits = other.iter();
    bits.all(|(qubit, when)| one.get(qubit).is_none_or(|known| known == when))
}

impl<'t> Elaborator<'t> {
    pub(super) fn cases(&mut self, questions: &[Question<'_, 't>]) -> Result<Cases, Fault> {
        let mut whole = Some(Case::new());
        for question in questions {
            let mut asked = self.cases_of_one(question)?;
            // That one bit is not what it is compared with says what it is.
            let only = asked.case.as_mut().filter(|case| case.len() == 1);
            if let (true, Some(case)) = (asked.denied, only) {
                case.values_mut().for_each(|when| *when = !*when);
                asked.denied = false;
            }
            if questions.len() == 1 {
                return Ok(asked);
            }
            let cases = asked.holding();
            let Some(mut before) = whole.take().filter(|_| !cases.is_empty()) else {
                continue;
            };
            let (fits, another) = {
                let mut fitting = cases.into_iter().filter(|case| agree(&before, case));
                (fitting.next(), fitting.next())
            };
            let message = match (fits, another) {
                (None, _) => {
                    "this contradicts what stands before it, so both never hold: leave one of them \
                     out"
                }
                (Some(case), None) => {
                    before.extend(case);
                    whole = Some(before);
                    continue;
                }
                _ => {
                    "beside && this comparison would have too many cases: put another if into the \
                     block instead"
                }
            };
            return Err(Fault::new(question.bits.span, message));
        }
        Ok(Cases::new(whole))
    }

    fn cases_of_one(&mut self, question: &Question<'_, 't>) -> Result<Cases, Fault> {
        let bits = question.bits;
        let register = self.bits_of(bits)?;
        let width = register.elements.len();
        self.spend(STEPS_PER_TERM + width, bits.span)?;
        let (number, denied) = match question.wanted {
            Wanted::Bit(when) if width == 1 => (i64::from(when), false),
            Wanted::Bit(_) => {
                let name = quoted(bits.name.text);
                let message = format!("compare this register with a number: {name} == 1");
                return Err(Fault::new(bits.span, message));
            }
            Wanted::Compared(relation, value, span) => relation
                .only(value, largest(width))
                .map_err(|unfit| undecided(unfit, bits, width, span))?,
        };
        let mut case = Some(number);
        let mut qubits = Case::new();
        for (place, bit) in register.elements.iter().enumerate() {
            let Some(number) = case else { break };
            let when = place < 63 && number >> place & 1 == 1;
            let holds = match self.source(*bit, bits)? {
                // What was never measured is zero.
                None => !when,
                Some(qubit) => *qubits.entry(qubit).or_insert(when) == when,
            };
            if !holds {
                case = None;
            }
        }
        Ok(Cases {
            case: case.map(|_| qubits),
            denied,
        })
    }

    fn source(&self, bit: u32, operand: &Operand<'_>) -> Result<Option<u32>, Fault> {
        match self.sources.of(bit) {
            Source::Zero => Ok(None),
            Source::Qubit(qubit) => Ok(Some(qubit)),
            Source::Gone => {
                let message = "the qubit that this was measured from has been changed since, so \
                               nothing can tell the result apart any more: measure into another \
                               qubit first, or move the if before the change";
                Err(Fault::new(operand.span, message))
            }
        }
    }
}
