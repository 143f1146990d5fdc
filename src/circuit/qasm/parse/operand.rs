//! Registers and their parts, and conditions on them.

use super::super::fault::Fault;
use super::super::syntax::{Expression, Indices, Language, Operand, Term, Wanted};
use super::super::token::Kind;
use super::Parser;

impl<'t> Parser<'t> {
    /// `q`, `q[0]`, `q[0:2]`, `q[{0, 2}]`.
    pub(super) fn operand(&mut self, of: &str) -> Result<Operand<'t>, Fault> {
        let name = self.name(of)?;
        let indices = match self.take("[")? {
            false => None,
            true => {
                let indices = self.indices()?;
                self.expect("]")?;
                Some(indices)
            }
        };
        let span = name.span.until(self.before);
        Ok(Operand {
            name,
            indices,
            span,
        })
    }

    /// What stands between the brackets, or behind the `in` of a loop.
    pub(super) fn indices(&mut self) -> Result<Indices<'t>, Fault> {
        if self.language == Language::Two && self.is("{") {
            return Err(self.unexpected("an index"));
        }
        if self.take("{")? {
            return Ok(Indices::Set(self.list("}", Self::expression)?));
        }
        let begin = self.token.span;
        let from = self.bound()?;
        if self.language == Language::Two && self.is(":") {
            let message = "ranges belong to OpenQASM 3: in version 2 name one element";
            return Err(Fault::new(self.token.span, message));
        }
        if !self.take(":")? {
            return match from {
                Some(index) => Ok(Indices::One(index)),
                None => Err(self.unexpected("an index")),
            };
        }
        let middle = self.bound()?;
        let (step, to) = match self.take(":")? {
            true => (middle, self.bound()?),
            false => (None, middle),
        };
        let span = begin.until(self.before);
        Ok(Indices::Range {
            from,
            step,
            to,
            span,
        })
    }

    /// One end of a range, which may be left out.
    fn bound(&mut self) -> Result<Option<Expression<'t>>, Fault> {
        match self.token.kind {
            Kind::Mark(":" | "]") => Ok(None),
            _ => self.expression().map(Some),
        }
    }

    /// `c == 3`, `c[0]`, `!c[0]`, and several of them joined by `&&`.
    pub(super) fn condition(&mut self) -> Result<Vec<Term<'t>>, Fault> {
        let mut terms = Vec::new();
        loop {
            if self.is("(") {
                self.advance()?;
                terms.extend(self.deeper(Self::condition)?);
                self.expect(")")?;
            } else {
                terms.push(self.term()?);
            }
            match self.token.kind {
                Kind::Mark("&&") => self.advance()?,
                Kind::Mark("||" | "!=" | "<" | ">" | "<=" | ">=") => {
                    let message = "a condition is made of c == number, c[0], !c[0] and && here";
                    return Err(Fault::new(self.token.span, message));
                }
                _ => return Ok(terms),
            };
        }
    }

    fn term(&mut self) -> Result<Term<'t>, Fault> {
        let denied = self.take("!")?;
        let bits = self.operand("a classical register")?;
        let wanted = match !denied && self.take("==")? {
            true => Wanted::Number(self.expression()?),
            false => Wanted::Bit(!denied),
        };
        Ok(Term { bits, wanted })
    }
}
