//! Which elements of a register, and which values of a loop.

use super::fault::{Fault, Span, quoted};
use super::names::Register;
use super::syntax::{Expression, Indices, Language, Operand, Type};
use super::value::{
    BYTES_PER_STEP, Division, Known, Value, cost_of, cost_of_type, evaluate, scalar,
};

/// Values of one loop, or elements of one set.
const VALUES_MAX: u64 = 1_000_000;

/// How many steps it takes to find out which values a loop's variable takes, beside its turns.
pub(super) fn cost_of_loop(kind: &Type<'_>, over: &Indices<'_>) -> usize {
    let over = match over {
        Indices::One(_) => 0,
        Indices::Set(values) => values.iter().map(cost_of).sum(),
        Indices::Range { span, .. } => 3 + span.length() / BYTES_PER_STEP,
    };
    cost_of_type(kind) + over
}

/// The values that a loop's variable takes, all of them of its type.
pub(super) fn of_loop(
    kind: &Type<'_>,
    over: &Indices<'_>,
    language: Language,
    names: &dyn Known,
) -> Result<Vec<Value>, Fault> {
    let (values, span) = listed(over, language, names)?;
    let kind = scalar(kind, language, names)?;
    let values = values.into_iter();
    values
        .map(|value| Value::Integer(value).of(kind, span))
        .collect()
}

fn listed(
    over: &Indices<'_>,
    language: Language,
    names: &dyn Known,
) -> Result<(Vec<i64>, Span), Fault> {
    let whole = |expression: &Expression<'_>| {
        let number = evaluate(expression, Division::of_whole(language), names)?;
        number.integer(expression.span)
    };
    match over {
        Indices::Set(values) if values.len() as u64 > VALUES_MAX => {
            let message = format!("this set has more than {VALUES_MAX} values");
            Err(Fault::new(values[0].span, message))
        }
        Indices::Set(values) => {
            let span = match (values.first(), values.last()) {
                (Some(first), Some(last)) => first.span.until(last.span),
                _ => Span { from: 0, to: 0 },
            };
            Ok((values.iter().map(whole).collect::<Result<_, _>>()?, span))
        }
        Indices::Range {
            from: Some(from),
            step,
            to: Some(to),
            span,
        } => {
            let step = step.as_ref().map_or(Ok(1), whole)?;
            Ok((range(whole(from)?, step, whole(to)?, *span)?, *span))
        }
        Indices::Range { span, .. } => {
            let message = "a loop needs both ends of its range, as in [0:3]";
            Err(Fault::new(*span, message))
        }
        Indices::One(expression) => {
            let message = "a loop needs a range, as in [0:3]";
            Err(Fault::new(expression.span, message))
        }
    }
}

/// From the first to the last, both included.
fn range(from: i64, step: i64, to: i64, span: Span) -> Result<Vec<i64>, Fault> {
    if step == 0 {
        return Err(Fault::new(span, "a range cannot go in steps of 0"));
    }
    if (step > 0 && from > to) || (step < 0 && from < to) {
        return Ok(Vec::new());
    }
    let count = from.abs_diff(to) / step.unsigned_abs();
    if count >= VALUES_MAX {
        let message = format!("this range has more than {VALUES_MAX} values");
        return Err(Fault::new(span, message));
    }
    let mut values = Vec::new();
    let mut value = from;
    for _ in 0..=count {
        values.push(value);
        // Only after the last value can this wrap, and that is not looked at.
        value = value.wrapping_add(step);
    }
    Ok(values)
}

/// The elements of a register that an operand names, and whether it is a single one.
pub(super) fn of_register(
    operand: &Operand<'_>,
    register: &Register,
    language: Language,
    names: &dyn Known,
) -> Result<Register, Fault> {
    let Some(indices) = &operand.indices else {
        return Ok(register.clone());
    };
    if register.single {
        let message = format!(
            "{0} was declared without a size and has no index: write {0}",
            quoted(operand.name.text)
        );
        return Err(Fault::new(operand.span, message));
    }
    let division = Division::of_whole(language);
    let length = i64::try_from(register.elements.len()).unwrap_or(i64::MAX);
    let place = |index: i64, span: Span| {
        let from_start = match language {
            Language::Three if index < 0 => index.saturating_add(length),
            _ => index,
        };
        let found = usize::try_from(from_start).ok();
        found
            .and_then(|place| register.elements.get(place).copied())
            .ok_or_else(|| beyond(operand, index, length, span))
    };
    let at = |expression: &Expression<'_>| {
        let index = evaluate(expression, division, names)?.integer(expression.span)?;
        place(index, expression.span)
    };
    let single = matches!(indices, Indices::One(_));
    let elements: Vec<u32> = match indices {
        Indices::One(index) => vec![at(index)?],
        Indices::Set(indices) => indices.iter().map(at).collect::<Result<_, _>>()?,
        Indices::Range {
            from,
            step,
            to,
            span,
        } => {
            let end = |bound: &Option<Expression<'_>>, absent: i64| match bound {
                None => Ok(absent),
                Some(bound) => {
                    let index = evaluate(bound, division, names)?.integer(bound.span)?;
                    // Counted from the end, as a single index would be.
                    Ok(if index < 0 {
                        index.saturating_add(length)
                    } else {
                        index
                    })
                }
            };
            let step = match step {
                None => 1,
                Some(step) => evaluate(step, division, names)?.integer(step.span)?,
            };
            let (first, last) = if step < 0 {
                (length - 1, 0)
            } else {
                (0, length - 1)
            };
            let values = range(end(from, first)?, step, end(to, last)?, *span)?;
            if values.is_empty() {
                return Err(Fault::new(*span, "this range is empty"));
            }
            let all = values.into_iter().map(|index| match index {
                0.. => place(index, *span),
                before => Err(beyond(operand, before, length, *span)),
            });
            all.collect::<Result<_, _>>()?
        }
    };
    Ok(Register {
        elements: elements.into(),
        single,
    })
}

fn beyond(operand: &Operand<'_>, index: i64, length: i64, span: Span) -> Fault {
    let name = quoted(operand.name.text);
    let message = match length {
        1 => format!("there is no {name}[{index}]: {name} has one element, {name}[0]"),
        _ => format!(
            "there is no {name}[{index}]: {name} has {length} elements, {name}[0] to {name}[{}]",
            length - 1
        ),
    };
    Fault::new(span, message)
}
