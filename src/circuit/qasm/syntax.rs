//! What a program says, before it is known whether that makes sense.

use super::fault::Span;

/// The version of the language that a program is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Two,
    Three,
}

/// A name where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'t> {
    pub(super) text: &'t str,
    pub(super) span: Span,
}

/// One statement.
#[derive(Debug, Clone)]
pub(super) struct Statement<'t> {
    pub(super) span: Span,
    pub(super) form: Form<'t>,
}

#[derive(Debug, Clone)]
pub(super) enum Form<'t> {
    Include(&'t str),
    Qubits {
        name: Name<'t>,
        size: Option<Expression<'t>>,
    },
    /// Classical bits, and what they are measured from at once.
    Bits {
        name: Name<'t>,
        size: Option<Expression<'t>>,
        measured: Option<Operand<'t>>,
    },
    Constant {
        name: Name<'t>,
        kind: Scalar,
        value: Expression<'t>,
    },
    /// A value that comes with the job.
    Input {
        name: Name<'t>,
        kind: Scalar,
    },
    Alias {
        name: Name<'t>,
        parts: Vec<Operand<'t>>,
    },
    Gate(GateForm<'t>),
    /// A gate of which only the shape is known.
    Opaque {
        name: Name<'t>,
    },
    Apply(Application<'t>),
    Barrier(Vec<Operand<'t>>),
    Reset(Operand<'t>),
    Measure {
        from: Operand<'t>,
        into: Operand<'t>,
    },
    For {
        variable: Name<'t>,
        over: Indices<'t>,
        body: Vec<Statement<'t>>,
    },
    If {
        condition: Vec<Term<'t>>,
        then: Vec<Statement<'t>>,
        otherwise: Vec<Statement<'t>>,
    },
}

/// What a constant or an input may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Integer,
    Real,
}

/// The definition of a gate.
#[derive(Debug, Clone)]
pub(super) struct GateForm<'t> {
    pub(super) name: Name<'t>,
    pub(super) parameters: Vec<Name<'t>>,
    pub(super) qubits: Vec<Name<'t>>,
    pub(super) body: Vec<Statement<'t>>,
}

/// The use of a gate.
#[derive(Debug, Clone)]
pub(super) struct Application<'t> {
    /// In the order of the text, the outermost first.
    pub(super) modifiers: Vec<Modifier<'t>>,
    pub(super) name: Name<'t>,
    pub(super) arguments: Vec<Expression<'t>>,
    pub(super) operands: Vec<Operand<'t>>,
}

#[derive(Debug, Clone)]
pub(super) enum Modifier<'t> {
    Inverse,
    Power(Expression<'t>),
    /// So many controls, 1 if nothing is said; the gate acts where all of them are `when`.
    Control {
        count: Option<Expression<'t>>,
        when: bool,
    },
}

/// A register or a part of it.
#[derive(Debug, Clone)]
pub(super) struct Operand<'t> {
    pub(super) name: Name<'t>,
    pub(super) indices: Option<Indices<'t>>,
    pub(super) span: Span,
}

/// Which elements.
#[derive(Debug, Clone)]
pub(super) enum Indices<'t> {
    One(Expression<'t>),
    /// From the first to the last, both included.
    Range {
        from: Option<Expression<'t>>,
        step: Option<Expression<'t>>,
        to: Option<Expression<'t>>,
        span: Span,
    },
    Set(Vec<Expression<'t>>),
}

/// One part of a condition; all parts must hold.
#[derive(Debug, Clone)]
pub(super) struct Term<'t> {
    pub(super) bits: Operand<'t>,
    pub(super) wanted: Wanted<'t>,
}

/// What a condition wants bits to be.
#[derive(Debug, Clone)]
pub(super) enum Wanted<'t> {
    /// A single bit.
    Bit(bool),
    /// All of the bits together, read as a number.
    Compared(Relation, Expression<'t>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Relation {
    /// The relation that an operator stands for.
    pub(super) fn of(mark: &str) -> Option<Self> {
        Some(match mark {
            "==" => Self::Equal,
            "!=" => Self::Unequal,
            "<" => Self::Less,
            "<=" => Self::AtMost,
            ">" => Self::More,
            ">=" => Self::AtLeast,
            _ => return None,
        })
    }

    /// The one number from 0 to `largest` that is so related to `value`, or, with true, the one
    /// that is not. No number at all if none is, or if all are. `None` if it is neither one.
    pub(super) fn only(self, value: i64, largest: i64) -> Option<(Option<i64>, bool)> {
        let (never, always) = ((None, false), (None, true));
        Some(match self {
            Self::Equal => (Some(value), false),
            Self::Unequal => (Some(value), true),
            Self::AtMost => return Self::Less.only(value.saturating_add(1), largest),
            Self::AtLeast => return Self::More.only(value.saturating_sub(1), largest),
            Self::Less if value <= 0 => never,
            Self::Less if value > largest => always,
            Self::Less if value == 1 => (Some(0), false),
            Self::Less if value == largest => (Some(largest), true),
            Self::More if value < 0 => always,
            Self::More if value >= largest => never,
            Self::More if value == 0 => (Some(0), true),
            Self::More if value == largest - 1 => (Some(largest), false),
            Self::Less | Self::More => return None,
        })
    }
}

/// A number to be worked out.
#[derive(Debug, Clone)]
pub(super) struct Expression<'t> {
    pub(super) span: Span,
    pub(super) term: Part<'t>,
}

#[derive(Debug, Clone)]
pub(super) enum Part<'t> {
    Integer(i64),
    Real(f64),
    Name(&'t str),
    Negative(Box<Expression<'t>>),
    Binary(Operator, Box<Expression<'t>>, Box<Expression<'t>>),
    Call(&'t str, Vec<Expression<'t>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
    Power,
    ShiftLeft,
    ShiftRight,
}
