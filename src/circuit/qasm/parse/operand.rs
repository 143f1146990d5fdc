//! Registers and their parts, and conditions on them.

use super::super::fault::{Fault, quoted};
use super::super::syntax::{
    Expression, Indices, Language, Name, Operand, Relation, Side, Term, Test,
};
use super::super::token::Kind;
use super::Parser;

impl<'t> Parser<'t> {
    /// `q`, `q[0]`, `q[0:2]`, `q[{0, 2}]`.
    pub(super) fn operand(&mut self, of: &str) -> Result<Operand<'t>, Fault> {
        let name = self.name(of)?;
        self.indexed(name)
    }

    /// The same, once its name was taken.
    pub(super) fn indexed(&mut self, name: Name<'t>) -> Result<Operand<'t>, Fault> {
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

    /// `c == 3`, `c != 0`, `c[0]`, `!c[0]`, and several of them joined by `&&`.
    pub(super) fn condition(&mut self) -> Result<Vec<Term<'t>>, Fault> {
        let mut terms = Vec::new();
        loop {
            if self.is("(") {
                self.advance()?;
                terms.extend(self.deeper(Self::condition)?);
                self.expect(")")?;
                self.refuse_relation()?;
            } else {
                terms.push(self.term()?);
            }
            match self.token.kind {
                Kind::Mark("&&") => self.advance()?,
                Kind::Mark("||") => {
                    let message = "|| is not supported in conditions: write else if, as in if (a) { … } \
                                   else if (b) { … } for if (a || b) { … }";
                    return Err(Fault::new(self.token.span, message));
                }
                _ => return Ok(terms),
            };
        }
    }

    /// What follows is no comparison of what stands in parentheses.
    fn refuse_relation(&self) -> Result<(), Fault> {
        if let Kind::Mark("==" | "!=" | "<" | "<=" | ">" | ">=") = self.token.kind {
            let message =
                "parentheses stand around whole comparisons here: leave those before this out";
            return Err(Fault::new(self.token.span, message));
        }
        Ok(())
    }

    /// `!(…)`, after the mark: of one term, as no or is there for the opposite of an and.
    fn denied(&mut self) -> Result<Term<'t>, Fault> {
        let from = self.token.span;
        self.expect("(")?;
        let mut terms = self.deeper(Self::condition)?;
        self.expect(")")?;
        self.refuse_relation()?;
        let (Some(Term { side, test }), true) = (terms.pop(), terms.is_empty()) else {
            let message = "several joined by && are denied by an else: write if (…) { } else \
                           { … } for if (!(…)) { … }";
            return Err(Fault::new(from.until(self.before), message));
        };
        let test = match test {
            Test::Is(when) => Test::Is(!when),
            Test::Compares(relation, right) => Test::Compares(relation.opposite(), right),
        };
        Ok(Term { side, test })
    }

    fn term(&mut self) -> Result<Term<'t>, Fault> {
        let denied = self.take("!")?;
        if denied && self.is("(") {
            return self.denied();
        }
        let opposite = "a comparison is denied by its opposite: write c != 1 for !(c == 1)";
        let refused = match self.token.kind {
            Kind::Mark("!") if denied => Some("two ! cancel out: leave both out"),
            Kind::Mark("~") => Some("~ is not supported in conditions: write !c[0], or c[0] == 0"),
            Kind::Name("bool" | "bit" | "int" | "uint" | "float" | "angle") => Some(
                "casts are not supported in conditions: write c[0], or c == 1 for a whole register",
            ),
            _ => None,
        };
        if let Some(message) = refused {
            return Err(Fault::new(self.token.span, message));
        }
        let left = self.side()?;
        let relation = match self.token.kind {
            Kind::Mark(mark) => Relation::of(mark),
            _ => None,
        };
        let Some(relation) = relation else {
            let test = Test::Is(!denied);
            return Ok(Term { side: left, test });
        };
        if denied {
            return Err(Fault::new(self.token.span, opposite));
        }
        self.advance()?;
        if let Kind::Text(text) = self.token.kind {
            let digits = text.chars().all(|it| matches!(it, '0' | '1' | '_'));
            let number = if digits {
                quoted(text)
            } else {
                "01".to_owned()
            };
            let message = format!("bits are compared with a number: write 0b{number}");
            return Err(Fault::new(self.token.span, message));
        }
        let right = self.side()?;
        let test = Test::Compares(relation, Box::new(right));
        Ok(Term { side: left, test })
    }

    /// Bits, or a number; of a name alone it is not known here which.
    fn side(&mut self) -> Result<Side<'t>, Fault> {
        let name = match self.token.kind {
            Kind::Name(word)
                if !matches!(word, "true" | "false" | "int" | "uint" | "float" | "angle") =>
            {
                self.name("a classical register")?
            }
            _ => return self.compared(None).map(Side::Number),
        };
        let operand = self.indexed(name)?;
        match self.token.kind {
            Kind::Mark("&" | "|" | "^" | "~") => {}
            Kind::Mark("(" | "+" | "-" | "*" | "/" | "%" | "**" | "<<" | ">>") => {
                if operand.indices.is_none() {
                    return self.compared(Some(name)).map(Side::Number);
                }
            }
            _ => return Ok(Side::Bits(operand)),
        }
        let message = "nothing is computed from bits here: ask for one bit, as in c[0], or compare \
                       a register with a number, as in c == 2, and join such by &&";
        Err(Fault::new(self.token.span, message))
    }
}
