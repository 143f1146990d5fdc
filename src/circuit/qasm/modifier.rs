//! What `inv @`, `pow(k) @` and `ctrl @` make of a gate.

use super::fault::{Fault, Span};
use super::syntax::{Expression, Language, Modifier};
use super::unitary::{TooLong, Unitary};
use super::value::{Division, Known, Value, cost_of, evaluate};
use super::work::Work;
use crate::circuit::Gate;

/// How many qubits may control one application, and how many modifiers it may have.
const CONTROLS_MAX: usize = 11;

/// So many gates of two qubits are as large a circuit as devices take (`CIRCUIT_BYTES_MAX`). Where
/// one gate alone has more, it is told at that gate.
const CONTROLLED_MAX: usize = 80_000;

/// Steps that a modifier takes even where it changes nothing.
const STEPS_PER_CHANGE: usize = 3;

/// A modifier whose numbers are known.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Inverse,
    Power(i64),
    /// So many controls; the gate acts where all of them are this.
    Control(usize, bool),
}

/// How many gates and how much work are left.
#[derive(Debug)]
pub(super) struct Budget<'s> {
    pub(super) gates: usize,
    pub(super) work: Work<'s>,
}

/// How many controls the modifiers add.
pub(super) fn controls_of(modifiers: &[Change]) -> usize {
    let counts = modifiers.iter().map(|change| match change {
        Change::Control(count, _) => *count,
        Change::Inverse | Change::Power(_) => 0,
    });
    counts.sum()
}

/// How many steps it takes to find them out.
pub(super) fn cost_of_changes(modifiers: &[Modifier<'_>]) -> usize {
    let costs = modifiers.iter().map(|modifier| match modifier {
        Modifier::Power(number)
        | Modifier::Control {
            count: Some(number),
            ..
        } => cost_of(number),
        _ => 1,
    });
    costs.sum()
}

/// The numbers of the modifiers.
pub(super) fn changes(
    modifiers: &[Modifier<'_>],
    language: Language,
    names: &dyn Known,
    span: Span,
) -> Result<Vec<Change>, Fault> {
    let whole = |expression: &Expression<'_>, division, message: &str| {
        let number = evaluate(expression, division, names)?;
        let refused = |_| Fault::new(expression.span, message);
        number.integer(expression.span).map_err(refused)
    };
    // As on paper, so that pow(1/2) is told what a root is told, and is not a power of 0.
    let exponent = |expression| {
        let message = "only whole powers of a gate are compiled: for a root write its own gate, as \
                       sx for pow(0.5) @ x, or a part of the angle, as rx(a/2) for pow(0.5) @ rx(a)";
        match evaluate(expression, Division::Exact, names)? {
            Value::Real(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                let message = format!(
                    "an exponent is a whole number, and this is a float: write pow({number})"
                );
                Err(Fault::new(expression.span, message))
            }
            _ => whole(expression, Division::Exact, message),
        }
    };
    let changes: Vec<_> = modifiers
        .iter()
        .map(|modifier| match modifier {
            Modifier::Inverse => Ok(Change::Inverse),
            Modifier::Power(power) => exponent(power).map(Change::Power),
            Modifier::Control { count: None, when } => Ok(Change::Control(1, *when)),
            Modifier::Control {
                count: Some(count),
                when,
            } => match usize::try_from(whole(
                count,
                Division::of_whole(language),
                "the number of controls must be a whole number",
            )?) {
                Ok(number @ 1..=CONTROLS_MAX) => Ok(Change::Control(number, *when)),
                _ => {
                    let message = format!("the number of controls must be 1 to {CONTROLS_MAX}");
                    Err(Fault::new(count.span, message))
                }
            },
        })
        .collect::<Result<_, _>>()?;
    if changes.len() > CONTROLS_MAX || controls_of(&changes) > CONTROLS_MAX {
        let message = format!("more than {CONTROLS_MAX} modifiers or controls are not supported");
        return Err(Fault::new(span, message));
    }
    Ok(changes)
}

/// What the modifiers make of a gate; the innermost is the last. `controls` in order of the text.
pub(super) fn modified(
    plain: Unitary,
    modifiers: &[Change],
    controls: &[u32],
    budget: &mut Budget<'_>,
) -> Result<Unitary, TooLong> {
    let mut whole = plain;
    let mut rest = controls;
    for change in modifiers.iter().rev() {
        whole = match change {
            Change::Inverse => whole.inverse(),
            Change::Power(times) => whole.power(*times, budget.gates)?,
            Change::Control(count, when) => {
                let (outer, own) = rest.split_at(rest.len() - count);
                rest = outer;
                conditioned(whole, own, *when, budget.gates)?
            }
        };
        budget.work.spend(STEPS_PER_CHANGE + whole.gates.len())?;
    }
    Ok(whole)
}

/// Done only where all of these qubits are `when`.
pub(super) fn conditioned(
    unitary: Unitary,
    controls: &[u32],
    when: bool,
    most: usize,
) -> Result<Unitary, TooLong> {
    let controlled = |unitary: Unitary| {
        let bound = most.min(CONTROLLED_MAX);
        unitary
            .controlled(controls, bound)
            .map_err(|why| match why {
                TooLong::Operations if bound < most => TooLong::Controlled(bound),
                other => other,
            })
    };
    if controls.is_empty() {
        return Ok(unitary);
    }
    if when {
        return controlled(unitary);
    }
    let mut flips = Unitary::default();
    for control in controls {
        flips.then(Unitary::gate(Gate::X, &[*control]));
    }
    let mut whole = flips.clone();
    whole.then(controlled(unitary)?);
    whole.then(flips);
    Ok(whole)
}
