//! Statements that give a name to something.

use super::super::fault::Fault;
use super::super::syntax::{Expression, Form, GateForm, Language, Type};
use super::super::token::Kind;
use super::{Parser, unsupported};

impl<'t> Parser<'t> {
    pub(super) fn include(&mut self) -> Result<Form<'t>, Fault> {
        let Kind::Text(file) = self.token.kind else {
            return Err(self.unexpected("a file name in quotes, as in include \"stdgates.inc\";"));
        };
        self.advance()?;
        self.expect(";")?;
        Ok(Form::Include(file))
    }

    /// `qreg q[2];` and `creg c[2];`, after the first word.
    pub(super) fn old_register(&mut self, quantum: bool) -> Result<Form<'t>, Fault> {
        let name = self.name("a register")?;
        let size = match self.is("[") {
            false if self.language == Language::Two => {
                return Err(self.unexpected("the size of the register, as in q[2]"));
            }
            _ => self.width()?,
        };
        self.expect(";")?;
        Ok(match quantum {
            true => Form::Qubits { name, size },
            false => Form::Bits {
                name,
                size,
                measured: None,
            },
        })
    }

    /// `qubit[2] q;`, after the first word.
    pub(super) fn qubits(&mut self) -> Result<Form<'t>, Fault> {
        let size = self.width()?;
        let name = self.name("a qubit or a register of qubits")?;
        if self.is("[") {
            let message = format!("the size stands before the name: qubit[n] {};", name.text);
            return Err(Fault::new(self.token.span, message));
        }
        self.expect(";")?;
        Ok(Form::Qubits { name, size })
    }

    /// `bit[2] c;` and `bit[2] c = measure q;`, after the first word.
    pub(super) fn bits(&mut self) -> Result<Form<'t>, Fault> {
        let size = self.width()?;
        let name = self.name("a bit or a register of bits")?;
        let measured = match self.take("=")? {
            false => None,
            true => Some(self.measured()?),
        };
        self.expect(";")?;
        Ok(Form::Bits {
            name,
            size,
            measured,
        })
    }

    /// `float theta = pi/2;`, with or without `const` before it: nothing here can change it.
    pub(super) fn constant(&mut self) -> Result<Form<'t>, Fault> {
        let kind = self.kind()?;
        let name = self.name("a constant")?;
        if !self.is("=") {
            let text = name.text;
            let message = format!(
                "{text} needs a value at once: write = value, or input before it if the value \
                 comes with the job"
            );
            return Err(Fault::new(self.before.end(), message));
        }
        self.advance()?;
        let value = self.expression()?;
        self.expect(";")?;
        Ok(Form::Constant { name, kind, value })
    }

    /// `input float theta;`, after the first word.
    pub(super) fn input(&mut self) -> Result<Form<'t>, Fault> {
        let kind = self.kind()?;
        let name = self.name("an input")?;
        self.expect(";")?;
        Ok(Form::Input { name, kind })
    }

    /// A type of numbers.
    pub(super) fn kind(&mut self) -> Result<Type<'t>, Fault> {
        let kind = match self.token.kind {
            Kind::Name(kind @ ("int" | "uint" | "float" | "angle")) => kind,
            Kind::Name(word) if let Some(reason) = unsupported::reason(word) => {
                return Err(Fault::new(self.token.span, reason));
            }
            _ => return Err(self.unexpected("one of the types int, uint, float and angle")),
        };
        self.advance()?;
        let width = self.width()?;
        Ok(match kind {
            "float" => Type::Real,
            "angle" => Type::Angle { width },
            whole => Type::Integer {
                signed: whole == "int",
                width,
            },
        })
    }

    fn width(&mut self) -> Result<Option<Expression<'t>>, Fault> {
        if !self.take("[")? {
            return Ok(None);
        }
        let width = self.expression()?;
        self.expect("]")?;
        Ok(Some(width))
    }

    /// `let pair = q[0:1] ++ r;`, after the first word.
    pub(super) fn alias(&mut self) -> Result<Form<'t>, Fault> {
        let name = self.name("an alias")?;
        if !self.take("=")? {
            return Err(self.unexpected("="));
        }
        if self.is("{") {
            let message = "qubits and registers are joined by ++, as in let both = q ++ r;";
            return Err(Fault::new(self.token.span, message));
        }
        let mut parts = vec![self.operand("a register")?];
        while self.take("++")? {
            parts.push(self.operand("a register")?);
        }
        self.expect(";")?;
        Ok(Form::Alias { name, parts })
    }

    /// `gate name(a, b) q, r { … }`, after the first word.
    pub(super) fn gate(&mut self) -> Result<Form<'t>, Fault> {
        let name = self.name("a gate")?;
        let parameters = match self.take("(")? {
            true => self.list(")", |parser| parser.name("a parameter"))?,
            false => Vec::new(),
        };
        let qubits = self.items("{", |parser| parser.name("a qubit of the gate"))?;
        let body = self.block()?;
        Ok(Form::Gate(GateForm {
            name,
            parameters,
            qubits,
            body,
        }))
    }

    /// `opaque name(a, b) q, r;`, after the first word.
    pub(super) fn opaque(&mut self) -> Result<Form<'t>, Fault> {
        let name = self.name("a gate")?;
        if self.take("(")? {
            self.list(")", |parser| parser.name("a parameter"))?;
        }
        self.list(";", |parser| parser.name("a qubit of the gate"))?;
        Ok(Form::Opaque { name })
    }
}
