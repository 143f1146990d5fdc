//! What a condition asks of measured bits, once all that is known beforehand has been decided.

use super::elaborate::Elaborator;
use super::fault::{Fault, Span, quoted};
use super::syntax::{Expression, Operand, Part, Relation, Side, Term, Test};
use super::value::{Known as _, Value, constant};

/// Steps that a term takes beside those for its number.
const STEPS_PER_TERM: usize = 3;

/// A condition without the parts that hold whatever is measured.
pub(super) enum Condition<'s, 't> {
    /// It does not depend on anything that is measured.
    Known(bool),
    /// All of these must hold.
    Asks(Vec<Question<'s, 't>>),
}

pub(super) struct Question<'s, 't> {
    pub(super) bits: &'s Operand<'t>,
    pub(super) wanted: Wanted,
}

/// What bits shall be.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// A single bit.
    Bit(bool),
    /// All of the bits together, read as a number, beside one that stands there.
    Compared(Relation, i64, Span),
}

/// Why a comparison is not that bits are one number, or are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    Never,
    Always,
    /// More than one number fulfils it, and more than one does not.
    Many,
}

/// What one side of a comparison is.
enum Found<'s, 't> {
    Bits(&'s Operand<'t>),
    Number(Value),
}

impl<'t> Elaborator<'t> {
    /// What a condition asks.
    pub(super) fn asked<'s>(
        &mut self,
        condition: &'s [Term<'t>],
    ) -> Result<Condition<'s, 't>, Fault> {
        let mut possible = true;
        let mut questions = Vec::new();
        for term in condition {
            match self.asked_by(term)? {
                Condition::Known(holds) => possible &= holds,
                Condition::Asks(more) => questions.extend(more),
            }
        }
        Ok(match possible && !questions.is_empty() {
            true => Condition::Asks(questions),
            false => Condition::Known(possible),
        })
    }

    fn asked_by<'s>(&mut self, term: &'s Term<'t>) -> Result<Condition<'s, 't>, Fault> {
        let left = &term.side;
        let (relation, right) = match &term.test {
            Test::Is(when) => return self.alone(left, *when),
            Test::Compares(relation, right) => (*relation, &**right),
        };
        let (bits, relation, number, span) = match (self.found(left)?, self.found(right)?) {
            (Found::Number(left), Found::Number(right)) => {
                return Ok(Condition::Known(compared(left, relation, right)));
            }
            (Found::Bits(bits), Found::Number(number)) => (bits, relation, number, right.span()),
            (Found::Number(number), Found::Bits(bits)) => {
                (bits, relation.mirrored(), number, left.span())
            }
            (Found::Bits(_), Found::Bits(_)) => {
                let message = "bits are compared with numbers here, not with one another: write an \
                               if for each value that both can have, as in if (a == 1 && b == 1) \
                               and if (a == 0 && b == 0) for a == b";
                return Err(Fault::new(left.span().until(right.span()), message));
            }
        };
        let wanted = Wanted::Compared(relation, number.integer(span)?, span);
        Ok(Condition::Asks(vec![Question { bits, wanted }]))
    }

    fn alone<'s>(&mut self, side: &'s Side<'t>, when: bool) -> Result<Condition<'s, 't>, Fault> {
        if let Side::Number(Expression {
            term: Part::Name(word @ ("true" | "false")),
            ..
        }) = side
        {
            return Ok(Condition::Known((*word == "true") == when));
        }
        match self.found(side)? {
            Found::Bits(bits) => {
                let wanted = Wanted::Bit(when);
                Ok(Condition::Asks(vec![Question { bits, wanted }]))
            }
            Found::Number(_) => {
                let message =
                    "this is a number, and an if asks a question: compare it, as in n != 0";
                Err(Fault::new(side.span(), message))
            }
        }
    }

    fn found<'s>(&mut self, side: &'s Side<'t>) -> Result<Found<'s, 't>, Fault> {
        self.spend(STEPS_PER_TERM, side.span())?;
        let bits = match side {
            Side::Number(number) => return self.whole(number).map(Found::Number),
            Side::Bits(bits) => bits,
        };
        if bits.indices.is_none() {
            let name = bits.name.text;
            let own = self.names.value(name);
            let is_free = self.names.find(name).is_none();
            if let Some(number) = own.or_else(|| constant(name).filter(|_| is_free)) {
                return Ok(Found::Number(number));
            }
        }
        self.bits_of(bits)?;
        Ok(Found::Bits(bits))
    }
}

fn compared(left: Value, relation: Relation, right: Value) -> bool {
    let order = match (left.whole(), right.whole()) {
        (Some((left, _)), Some((right, _))) => Some(left.cmp(&right)),
        _ => left.real().partial_cmp(&right.real()),
    };
    order.is_some_and(|order| relation.holds(order))
}

impl Relation {
    /// The one number from 0 to `largest` that is so related to `value`, or, with true, the one
    /// that is not.
    pub(super) fn only(self, value: i64, largest: i64) -> Result<(i64, bool), Unfit> {
        let within = (0..=largest).contains(&value);
        match self {
            Self::Equal if within => Ok((value, false)),
            Self::Unequal if within => Ok((value, true)),
            Self::Equal => Err(Unfit::Never),
            Self::Unequal => Err(Unfit::Always),
            Self::AtMost if value >= largest => Err(Unfit::Always),
            Self::AtMost => Self::Less.only(value.saturating_add(1), largest),
            Self::AtLeast if value <= 0 => Err(Unfit::Always),
            Self::AtLeast => Self::More.only(value.saturating_sub(1), largest),
            Self::Less if value <= 0 => Err(Unfit::Never),
            Self::Less if value > largest => Err(Unfit::Always),
            Self::Less if value == 1 => Ok((0, false)),
            Self::Less if value == largest => Ok((largest, true)),
            Self::More if value < 0 => Err(Unfit::Always),
            Self::More if value >= largest => Err(Unfit::Never),
            Self::More if value == 0 => Ok((0, true)),
            Self::More if value == largest - 1 => Ok((largest, false)),
            Self::Less | Self::More => Err(Unfit::Many),
        }
    }
}

/// The complaint about a comparison that is no question.
pub(super) fn undecided(unfit: Unfit, bits: &Operand<'_>, width: usize, span: Span) -> Fault {
    let holds = match unfit {
        Unfit::Many => {
            let message = "more than one value fulfils this, and more than one does not: compare \
                           with one value by == or !=, an if for each";
            return Fault::new(span, message);
        }
        Unfit::Never => "never",
        Unfit::Always => "always",
    };
    let which = match &bits.indices {
        None => quoted(bits.name.text),
        Some(_) if width == 1 => "this bit".to_owned(),
        Some(_) => "this part".to_owned(),
    };
    let message = format!(
        "this {holds} holds, whatever is measured, as {which} can be 0 to {} and nothing else: \
         compare with one of these",
        largest(width)
    );
    Fault::new(span, message)
}

/// The largest number that so many bits are.
pub(super) fn largest(width: usize) -> i64 {
    match width {
        0..63 => (1 << width) - 1,
        _ => i64::MAX,
    }
}
