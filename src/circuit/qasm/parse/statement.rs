//! Statements by their first word.

use super::super::fault::{Fault, Span};
use super::super::syntax::{Application, Form, Language, Modifier, Operand, Statement, Type};
use super::super::token::Kind;
use super::{Parser, unsupported};

/// What can be said behind `=`.
const ONLY_MEASURED: &str = "what is declared keeps its value, but for bits, and these are only \
                             set by measuring, as in c = measure q;";

impl<'t> Parser<'t> {
    pub(super) fn statement(&mut self) -> Result<Statement<'t>, Fault> {
        let begin = self.token.span;
        let Kind::Name(word) = self.token.kind else {
            return Err(self.no_statement());
        };
        self.refuse_foreign(word)?;
        let form = match word {
            "ctrl" | "negctrl" | "inv" | "pow" | "gphase" => self.application()?,
            "int" | "uint" | "float" | "angle" => self.constant()?,
            "include" | "qreg" | "creg" | "qubit" | "bit" | "const" | "input" | "let" | "gate"
            | "opaque" | "barrier" | "reset" | "measure" | "for" | "if" => {
                self.advance()?;
                self.behind(word)?
            }
            _ => self.application_or_assignment()?,
        };
        let span = begin.until(self.before);
        Ok(Statement { span, form })
    }

    /// The rest of a statement that begins with a keyword.
    fn behind(&mut self, keyword: &str) -> Result<Form<'t>, Fault> {
        match keyword {
            "include" => self.include(),
            "qreg" => self.old_register(true),
            "creg" => self.old_register(false),
            "qubit" => self.qubits(),
            "bit" => self.bits(),
            "const" => self.constant(),
            "input" => self.input(),
            "let" => self.alias(),
            "gate" => self.gate(),
            "opaque" => self.opaque(),
            "barrier" => Ok(Form::Barrier(self.list(";", Self::qubit)?)),
            "reset" => {
                let operand = self.qubit()?;
                self.expect(";")?;
                Ok(Form::Reset(operand))
            }
            "measure" => self.measure_arrow(),
            "for" => self.repetition(),
            "if" => self.conditional(),
            other => unreachable!("{other} is not among the keywords that lead here"),
        }
    }

    fn no_statement(&self) -> Fault {
        let message = match self.token.kind {
            Kind::Mark("@") => "annotations are not supported: leave this line out".to_owned(),
            Kind::Mark(";") => "there is no statement before this ; : leave it out".to_owned(),
            Kind::Mark("{") => "a block stands only behind gate, for, if or else".to_owned(),
            Kind::Mark("}") => "this } closes nothing".to_owned(),
            _ => format!("{} begins no statement", self.shown()),
        };
        Fault::new(self.token.span, message)
    }

    fn refuse_foreign(&self, word: &str) -> Result<(), Fault> {
        if let Some(reason) = unsupported::reason(word) {
            return Err(Fault::new(self.token.span, reason));
        }
        let message = match (unsupported::only_in(word), self.language) {
            (Some(Language::Three), Language::Two) => format!(
                "{word} belongs to OpenQASM 3, and the first line says 2: write OPENQASM 3.0; \
                 there"
            ),
            (Some(Language::Two), Language::Three) => {
                format!("{word} belongs to OpenQASM 2: define a gate instead")
            }
            _ => return Ok(()),
        };
        Err(Fault::new(self.token.span, message))
    }

    fn qubit(&mut self) -> Result<Operand<'t>, Fault> {
        self.operand("a qubit or a register")
    }

    /// What stands behind `=`: a measurement is all that can.
    pub(super) fn measured(&mut self) -> Result<Operand<'t>, Fault> {
        if self.take_word("measure")?.is_none() {
            return Err(Fault::new(self.token.span, ONLY_MEASURED));
        }
        self.qubit()
    }

    /// `measure q -> c;`, after the first word.
    fn measure_arrow(&mut self) -> Result<Form<'t>, Fault> {
        let from = self.qubit()?;
        if !self.take("->")? {
            let message = match self.language {
                Language::Two => "the result must go somewhere: measure q -> c;",
                Language::Three => "the result must go somewhere: c = measure q;",
            };
            return Err(Fault::new(self.before.end(), message));
        }
        let into = self.operand("a bit or a classical register")?;
        self.expect(";")?;
        Ok(Form::Measure { from, into })
    }

    /// `h q;` or `c = measure q;`, which begin alike.
    fn application_or_assignment(&mut self) -> Result<Form<'t>, Fault> {
        let name = self.name("a gate")?;
        if let Kind::Mark("+=" | "-=" | "*=" | "/=") = self.token.kind {
            return Err(Fault::new(self.token.span, ONLY_MEASURED));
        }
        if !self.is("[") && !self.is("=") {
            return self.application_of(Vec::new(), name);
        }
        let into = self.indexed(name)?;
        if !self.take("=")? {
            return Err(self.unexpected("= measure, or the name of a gate before this"));
        }
        let from = self.measured()?;
        self.expect(";")?;
        Ok(Form::Measure { from, into })
    }

    /// `ctrl @ inv @ rx(pi/2) q, r;`
    fn application(&mut self) -> Result<Form<'t>, Fault> {
        let mut modifiers = Vec::new();
        while let Some(modifier) = self.modifier()? {
            if !self.take("@")? {
                return Err(self.unexpected("@ behind the modifier, as in ctrl @ x q[0], q[1];"));
            }
            modifiers.push(modifier);
        }
        let name = self.name("a gate")?;
        self.application_of(modifiers, name)
    }

    fn modifier(&mut self) -> Result<Option<Modifier<'t>>, Fault> {
        let when = match self.token.kind {
            Kind::Name("inv") => {
                self.advance()?;
                return Ok(Some(Modifier::Inverse));
            }
            Kind::Name("pow") => {
                self.advance()?;
                if !self.take("(")? {
                    return Err(self.unexpected("the exponent, as in pow(2) @"));
                }
                let exponent = self.expression()?;
                self.expect(")")?;
                return Ok(Some(Modifier::Power(exponent)));
            }
            Kind::Name("ctrl") => true,
            Kind::Name("negctrl") => false,
            _ => return Ok(None),
        };
        self.advance()?;
        let count = match self.take("(")? {
            false => None,
            true => {
                let count = self.expression()?;
                self.expect(")")?;
                Some(count)
            }
        };
        Ok(Some(Modifier::Control { count, when }))
    }

    fn application_of(
        &mut self,
        modifiers: Vec<Modifier<'t>>,
        name: super::Name<'t>,
    ) -> Result<Form<'t>, Fault> {
        let arguments = match self.take("(")? {
            true => self.list(")", Self::expression)?,
            false => Vec::new(),
        };
        let operands = self.list(";", Self::qubit)?;
        Ok(Form::Apply(Application {
            modifiers,
            name,
            arguments,
            operands,
        }))
    }

    /// `for int i in [0:3] { … }`, after the first word.
    fn repetition(&mut self) -> Result<Form<'t>, Fault> {
        let span = self.token.span;
        let kind = self.kind()?;
        if matches!(kind, Type::Real | Type::Angle { .. }) {
            return Err(Fault::new(
                span,
                "the variable of a loop is an int or a uint",
            ));
        }
        let variable = self.name("the variable of the loop")?;
        if self.take_word("in")?.is_none() {
            return Err(self.unexpected("in, as in for int i in [0:3]"));
        }
        let over = match self.take("[")? {
            true => {
                let range = self.indices()?;
                self.expect("]")?;
                range
            }
            false if self.is("{") => self.indices()?,
            false => return Err(self.unexpected("a range [0:3] or a set {0, 2}")),
        };
        let body = self.block_or_statement()?;
        Ok(Form::For {
            variable,
            kind,
            over,
            body,
        })
    }

    /// `if (c == 1) …`, after the first word.
    fn conditional(&mut self) -> Result<Form<'t>, Fault> {
        if !self.take("(")? {
            return Err(self.unexpected("( before the condition"));
        }
        let condition = self.condition()?;
        self.expect(")")?;
        let then = self.block_or_statement()?;
        let otherwise = match self.take_word("else")? {
            Some(_) => self.block_or_statement()?,
            None => Vec::new(),
        };
        Ok(Form::If {
            condition,
            then,
            otherwise,
        })
    }

    fn block_or_statement(&mut self) -> Result<Vec<Statement<'t>>, Fault> {
        match self.is("{") {
            true => self.block(),
            false => Ok(vec![self.deeper(Self::statement)?]),
        }
    }

    /// The statements between two braces.
    pub(super) fn block(&mut self) -> Result<Vec<Statement<'t>>, Fault> {
        let opened = self.token.span;
        if !self.take("{")? {
            return Err(self.unexpected("{"));
        }
        self.deeper(|parser| {
            let mut body = Vec::new();
            while !parser.take("}")? {
                if parser.token.kind == Kind::End {
                    return Err(unclosed(opened));
                }
                body.push(parser.statement()?);
            }
            Ok(body)
        })
    }
}

fn unclosed(opened: Span) -> Fault {
    Fault::new(opened, "this { is never closed: a } is missing")
}
