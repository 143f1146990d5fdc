//! What a program says, before it is known whether that makes sense.

use std::cmp::Ordering;

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
        kind: Type<'t>,
        value: Expression<'t>,
    },
    /// A value that comes with the job.
    Input {
        name: Name<'t>,
        kind: Type<'t>,
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
        kind: Type<'t>,
        over: Indices<'t>,
        body: Vec<Statement<'t>>,
    },
    If {
        condition: Vec<Term<'t>>,
        then: Vec<Statement<'t>>,
        otherwise: Vec<Statement<'t>>,
    },
}

/// What a constant, an input or the variable of a loop is declared as.
#[derive(Debug, Clone)]
pub(super) enum Type<'t> {
    Integer {
        signed: bool,
        width: Option<Expression<'t>>,
    },
    /// Its width bounds nothing: floats do not round.
    Real,
    Angle {
        width: Option<Expression<'t>>,
    },
}

/// The same once its width is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Integer(Range),
    Real,
    Angle,
}

/// The whole numbers that a type holds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) least: i64,
    pub(super) most: i64,
}

impl Range {
    /// What comes of numbers of two types, of which either may hold what 64 bits do. With one that
    /// has a sign and one that has none, that is neither's.
    pub(super) fn common(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (one, other) = (one?, other?);
        let holds = |all: &Self, part: Self| all.least <= part.least && part.most <= all.most;
        [one, other]
            .into_iter()
            .find(|range| holds(range, one) && holds(range, other))
    }

    /// What `int` or `uint` of 1 to 64 bits holds.
    pub(super) fn of(signed: bool, width: u32) -> Self {
        match signed {
            true => Self {
                least: i64::MIN >> (64 - width),
                most: i64::MAX >> (64 - width),
            },
            false => Self {
                least: 0,
                most: if width == 64 {
                    i64::MAX
                } else {
                    i64::MAX >> (63 - width)
                },
            },
        }
    }
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
    pub(super) side: Side<'t>,
    pub(super) test: Test<'t>,
}

/// What is asked of it.
#[derive(Debug, Clone)]
pub(super) enum Test<'t> {
    /// A bit shall be so, or `true` or `false`.
    Is(bool),
    /// Bits are taken together and read as a number.
    Compares(Relation, Box<Side<'t>>),
}

/// One side of a comparison.
#[derive(Debug, Clone)]
pub(super) enum Side<'t> {
    /// Bits; by a name alone it may also be a number.
    Bits(Operand<'t>),
    Number(Expression<'t>),
}

impl Side<'_> {
    pub(super) fn span(&self) -> Span {
        match self {
            Self::Bits(operand) => operand.span,
            Self::Number(number) => number.span,
        }
    }
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

    /// What holds exactly where this one does not.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
        }
    }

    /// The relation with its sides exchanged.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::Unequal => self,
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// Whether it holds between numbers that are so ordered.
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
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
    /// A number of a type that holds less than 64 bits do.
    Sized(i64, Range),
    Real(f64),
    /// A number of the type angle.
    Angle(f64),
    Name(&'t str),
    /// How many elements the register of this name has.
    SizeOf(&'t str),
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
