//! Expressions, by precedence climbing.

use super::super::fault::Fault;
use super::super::syntax::{Expression, Language, Name, Operator, Part};
use super::super::token::Kind;
use super::{Parser, TERMS_MAX};

/// How tightly the sign of a number binds: `-a*b` is `(-a)*b`, but `-a**b` is `-(a**b)`.
const OF_SIGN: u8 = 4;

impl<'t> Parser<'t> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Result<Expression<'t>, Fault> {
        self.terms = 0;
        self.within(0)
    }

    /// A number in a condition, which a relation may follow; `first` is a name that was taken.
    pub(super) fn compared(&mut self, first: Option<Name<'t>>) -> Result<Expression<'t>, Fault> {
        self.terms = 0;
        self.comparing = true;
        let number = match first {
            Some(name) => self
                .named(name)
                .and_then(|first| self.operations_on(first, 0)),
            None => self.within(0),
        };
        self.comparing = false;
        number
    }

    /// An expression whose operators bind tighter than `loosest`.
    fn within(&mut self, loosest: u8) -> Result<Expression<'t>, Fault> {
        let left = self.deeper(Self::signed)?;
        self.operations_on(left, loosest)
    }

    fn operations_on(
        &mut self,
        first: Expression<'t>,
        loosest: u8,
    ) -> Result<Expression<'t>, Fault> {
        let mut left = first;
        loop {
            let Some((operator, binds)) = self.operator()? else {
                return Ok(left);
            };
            if binds <= loosest {
                return Ok(left);
            }
            self.count()?;
            self.advance()?;
            // Powers are taken from the right: a**b**c is a**(b**c).
            let of_right = if operator == Operator::Power {
                binds - 1
            } else {
                binds
            };
            let right = self.deeper(|parser| parser.within(of_right))?;
            let span = left.span.until(right.span);
            let term = Part::Binary(operator, Box::new(left), Box::new(right));
            left = Expression { span, term };
        }
    }

    /// The operator that stands here, and how tightly it binds.
    fn operator(&self) -> Result<Option<(Operator, u8)>, Fault> {
        let Kind::Mark(mark) = self.token.kind else {
            return Ok(None);
        };
        Ok(Some(match (mark, self.language) {
            ("<<", Language::Three) => (Operator::ShiftLeft, 1),
            (">>", Language::Three) => (Operator::ShiftRight, 1),
            ("+", _) => (Operator::Plus, 2),
            ("-", _) => (Operator::Minus, 2),
            ("*", _) => (Operator::Times, 3),
            ("/", _) => (Operator::Over, 3),
            ("%", Language::Three) => (Operator::Modulo, 3),
            ("**", Language::Three) | ("^", Language::Two) => (Operator::Power, 5),
            ("^", Language::Three) => {
                let message = "^ is not supported in OpenQASM 3: a power is written a**b";
                return Err(Fault::new(self.token.span, message));
            }
            ("**", Language::Two) => {
                let message = "in OpenQASM 2 a power is written a^b";
                return Err(Fault::new(self.token.span, message));
            }
            ("<" | ">" | "<=" | ">=" | "||", _) if self.comparing => return Ok(None),
            ("<<" | ">>" | "&" | "|" | "~" | "<" | ">" | "<=" | ">=" | "||", _) => {
                let message = format!("{mark} is not supported in expressions");
                return Err(Fault::new(self.token.span, message));
            }
            _ => return Ok(None),
        }))
    }

    fn signed(&mut self) -> Result<Expression<'t>, Fault> {
        let span = self.token.span;
        if self.take("+")? {
            return self.within(OF_SIGN);
        }
        if self.take("-")? {
            self.count()?;
            let inner = self.within(OF_SIGN)?;
            let span = span.until(inner.span);
            let term = Part::Negative(Box::new(inner));
            return Ok(Expression { span, term });
        }
        self.atom()
    }

    fn atom(&mut self) -> Result<Expression<'t>, Fault> {
        let span = self.token.span;
        let term = match self.token.kind {
            Kind::Integer(number) => {
                self.advance()?;
                let Ok(number) = i64::try_from(number) else {
                    return Err(Fault::new(span, format!("{number} is too large")));
                };
                Part::Integer(number)
            }
            Kind::Float(number) => {
                self.advance()?;
                Part::Real(number)
            }
            Kind::Name(text) => {
                self.advance()?;
                return self.named(Name { text, span });
            }
            Kind::Mark("(") => {
                self.advance()?;
                let inner = self.within(0)?;
                let end = self.expect(")")?;
                return Ok(Expression {
                    span: span.until(end),
                    ..inner
                });
            }
            _ => return Err(self.unexpected("a number")),
        };
        let span = span.until(self.before);
        Ok(Expression { span, term })
    }

    /// What begins with a name: it alone, or a function of something.
    fn named(&mut self, name: Name<'t>) -> Result<Expression<'t>, Fault> {
        let term = match self.take("(")? {
            true if name.text == "sizeof" => {
                let register = self.name("a register")?;
                self.expect(")")?;
                Part::SizeOf(register.text)
            }
            true => {
                self.count()?;
                Part::Call(name.text, self.list(")", |parser| parser.within(0))?)
            }
            false => Part::Name(name.text),
        };
        let span = name.span.until(self.before);
        Ok(Expression { span, term })
    }

    /// Long chains of operators make deep trees.
    fn count(&mut self) -> Result<(), Fault> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            let message = format!("this expression has more than {TERMS_MAX} operators: part it");
            return Err(Fault::new(self.token.span, message));
        }
        Ok(())
    }
}
