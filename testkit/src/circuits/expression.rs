//! Angles as people write them: what they come to, and how each language spells them.

use super::Language;
use super::dice::Dice;

/// An angle in radians.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Whole(u32),
    /// As it is written, in a form that all readers know.
    Real(&'static str),
    Pi,
    /// A parameter of the gate around it.
    Parameter(String),
    /// A constant of the program; where there are none, its value is written instead.
    Constant(String, Box<Self>),
    Minus(Box<Self>),
    /// One of `+ - * / ^`.
    Two(char, Box<Self>, Box<Self>),
    Call(Function, Box<Self>),
}

/// A function that both languages have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Exp,
    Ln,
    Sqrt,
}

const FUNCTIONS: [Function; 6] = [
    Function::Sin,
    Function::Cos,
    Function::Tan,
    Function::Exp,
    Function::Ln,
    Function::Sqrt,
];

/// Small numbers, written in all ways.
const REALS: [&str; 12] = [
    "0.1", "0.25", ".5", "2.", "1.75", "3e-1", "1.25e0", "0.0625", "12.5E-1", "0.30", "2.718",
    "00.7",
];

/// Values of the parameters that are around.
pub(super) type Scope = [(String, f64)];

impl Expression {
    fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    fn two(operator: char, left: Self, right: Self) -> Self {
        Self::Two(operator, left.boxed(), right.boxed())
    }

    fn real(dice: &mut Dice) -> Self {
        Self::Real(dice.pick(&REALS))
    }

    fn whole(dice: &mut Dice) -> Self {
        Self::Whole(u32::try_from(dice.within(1, 9)).expect("it is small"))
    }

    fn part_of_pi(dice: &mut Dice) -> Self {
        let part = match dice.below(3) {
            0 => Self::Pi,
            _ => Self::two('*', Self::whole(dice), Self::Pi),
        };
        Self::two('/', part, Self::whole(dice))
    }

    /// An angle that Qiskit's readers of both languages take: sums, products and quotients, of
    /// which at least one side is no whole number, and parameters as they may occur there.
    pub(super) fn plain(dice: &mut Dice, parameters: &[String]) -> Self {
        if !parameters.is_empty() && !dice.once_in(4) {
            let one = Self::Parameter(dice.pick(parameters));
            return match dice.below(6) {
                0 => one,
                1 => Self::Minus(one.boxed()),
                2 => Self::two('/', one, Self::whole(dice)),
                3 => Self::two('*', Self::whole(dice), one),
                4 => Self::two('-', Self::Pi, one),
                _ => {
                    let other = Self::Parameter(dice.pick(parameters));
                    Self::two('/', Self::two('+', one, other), Self::whole(dice))
                }
            };
        }
        match dice.below(7) {
            0 => Self::real(dice),
            1 => Self::part_of_pi(dice),
            2 => Self::Minus(Self::part_of_pi(dice).boxed()),
            3 => Self::two('+', Self::part_of_pi(dice), Self::real(dice)),
            4 => {
                let negative = Self::Minus(Self::real(dice).boxed());
                Self::two('-', Self::part_of_pi(dice), negative)
            }
            5 => {
                let sum = Self::two('-', Self::real(dice), Self::real(dice));
                Self::two('*', sum, Self::Pi)
            }
            _ => {
                let right = Self::two('-', Self::real(dice), Self::part_of_pi(dice));
                Self::two('-', Self::real(dice), right)
            }
        }
    }

    /// An angle with functions, powers and constants of the program beside.
    pub(super) fn rich(dice: &mut Dice, parameters: &[String], constants: &[Self]) -> Self {
        let inner = |dice: &mut Dice| Self::plain(dice, parameters);
        match dice.below(8) {
            0 => {
                let function = dice.pick(&FUNCTIONS);
                let argument = match function {
                    // These two want a positive number, and tan and exp do not want a large one.
                    Function::Ln | Function::Sqrt | Function::Tan | Function::Exp => {
                        Self::real(dice)
                    }
                    Function::Sin | Function::Cos => inner(dice),
                };
                Self::two(
                    '*',
                    Self::Call(function, argument.boxed()),
                    Self::real(dice),
                )
            }
            1 => Self::two('^', Self::real(dice), Self::whole_exponent(dice)),
            2 => {
                let power = Self::two('^', Self::real(dice), Self::whole_exponent(dice));
                Self::two('-', inner(dice), Self::Minus(power.boxed()))
            }
            3 => Self::two('*', inner(dice), inner(dice)),
            4 if !constants.is_empty() => Self::two('/', dice.pick(constants), Self::real(dice)),
            _ => inner(dice),
        }
    }

    fn whole_exponent(dice: &mut Dice) -> Self {
        Self::Whole(u32::try_from(dice.within(1, 3)).expect("it is small"))
    }

    /// What it comes to. A name without a value is a mistake of the generator.
    pub(super) fn value(&self, scope: &Scope) -> f64 {
        match self {
            Self::Whole(number) => f64::from(*number),
            Self::Real(text) => text.parse().expect("the numbers are written well"),
            Self::Pi => std::f64::consts::PI,
            Self::Parameter(name) => {
                let known = scope.iter().find(|(known, _)| known == name);
                known.expect("a parameter is used in its gate alone").1
            }
            Self::Constant(_, value) => value.value(&[]),
            Self::Minus(inner) => -inner.value(scope),
            Self::Two(operator, left, right) => {
                let (left, right) = (left.value(scope), right.value(scope));
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    '/' => left / right,
                    '^' => left.powf(right),
                    other => unreachable!("{other} is no operator here"),
                }
            }
            Self::Call(function, argument) => {
                let argument = argument.value(scope);
                match function {
                    Function::Sin => argument.sin(),
                    Function::Cos => argument.cos(),
                    Function::Tan => argument.tan(),
                    Function::Exp => argument.exp(),
                    Function::Ln => argument.ln(),
                    Function::Sqrt => argument.sqrt(),
                }
            }
        }
    }

    /// Its words, with no parentheses but those that its structure needs.
    pub(super) fn words(&self, language: Language, out: &mut Vec<String>) {
        match self {
            Self::Whole(number) => out.push(number.to_string()),
            Self::Real(text) => out.push((*text).to_owned()),
            Self::Pi => out.push("pi".to_owned()),
            Self::Parameter(name) => out.push(name.clone()),
            Self::Constant(name, value) => match language {
                Language::Two => value.words_within(u8::MAX, language, out),
                Language::Three => out.push(name.clone()),
            },
            Self::Minus(inner) => {
                out.push("-".to_owned());
                inner.words_within(3, language, out);
            }
            Self::Two(operator, left, right) => {
                let (of_left, of_right) = match operator {
                    '+' | '-' => (1, 2),
                    '*' | '/' => (2, 3),
                    _ => (5, 5),
                };
                left.words_within(of_left, language, out);
                out.push(match (operator, language) {
                    ('^', Language::Three) => "**".to_owned(),
                    _ => operator.to_string(),
                });
                right.words_within(of_right, language, out);
            }
            Self::Call(function, argument) => {
                let name = match (function, language) {
                    (Function::Sin, _) => "sin",
                    (Function::Cos, _) => "cos",
                    (Function::Tan, _) => "tan",
                    (Function::Exp, _) => "exp",
                    (Function::Ln, Language::Two) => "ln",
                    (Function::Ln, Language::Three) => "log",
                    (Function::Sqrt, _) => "sqrt",
                };
                out.push(name.to_owned());
                argument.words_within(u8::MAX, language, out);
            }
        }
    }

    fn binds(&self) -> u8 {
        match self {
            Self::Two('+' | '-', ..) => 1,
            Self::Two('*' | '/', ..) => 2,
            Self::Minus(_) => 3,
            Self::Two(..) => 4,
            _ => 5,
        }
    }

    /// In parentheses unless it binds as tightly as this.
    fn words_within(&self, tightest: u8, language: Language, out: &mut Vec<String>) {
        if self.binds() >= tightest {
            return self.words(language, out);
        }
        out.push("(".to_owned());
        self.words(language, out);
        out.push(")".to_owned());
    }
}
