//! Values that come with the job: each input needs one, and each value an input.

use std::collections::{BTreeMap, BTreeSet};

use super::elaborate::Elaborator;
use super::fault::{Fault, quoted};
use super::names::Meaning;
use super::parse::Parser;
use super::syntax::{Name, Range, Scalar, Type};
use super::value::{Division, evaluate};
use crate::circuit::parameters::{argument, cut, listed, without_use};

/// What the job gives, and what the program asks for.
#[derive(Debug)]
pub(super) struct Inputs<'t> {
    arguments: &'t BTreeMap<String, String>,
    names: BTreeSet<String>,
    /// One of them has no value, which ends the reading.
    pub(super) lack: bool,
}

impl<'t> Inputs<'t> {
    pub(super) fn of(arguments: &'t BTreeMap<String, String>) -> Self {
        Self {
            arguments,
            names: BTreeSet::new(),
            lack: false,
        }
    }
}

impl<'t> Elaborator<'t> {
    pub(super) fn input(&mut self, name: Name<'t>, kind: &Type<'t>) -> Result<(), Fault> {
        let kind = self.scalar(kind, name.span)?;
        let shown = quoted(name.text);
        let Some(text) = argument(self.inputs.arguments, name.text) else {
            self.inputs.lack = true;
            let example = match kind {
                Scalar::Real | Scalar::Angle => "0.5",
                Scalar::Integer(_) => "3",
            };
            let message = format!(
                "{shown} was given no value: run with --param {shown}={example} (metadata \
                 param.{shown} on the wire)"
            );
            return Err(Fault::new(name.span, message));
        };
        let wrong = |why: &str| {
            let text = quoted(text);
            Fault::new(
                name.span,
                format!("{shown} was given the value {text:?}: {why}"),
            )
        };
        let value = Parser::expression_in(text)
            .and_then(|value| {
                evaluate(&value, Division::of_real(self.language), &())?.of(kind, value.span)
            })
            .map_err(|_| match kind {
                Scalar::Real => wrong("give a number, as in 0.5 or pi/4"),
                Scalar::Angle => wrong(
                    "give a number from 0 to below 2*pi, as in 0.5 or pi/4, or declare input float",
                ),
                Scalar::Integer(Range { least, most }) => {
                    wrong(&format!("give a whole number from {least} to {most}"))
                }
            })?;
        self.inputs.names.insert(name.text.to_owned());
        self.names.define(name, Meaning::Value(value))
    }

    /// Whoever mistypes a name would otherwise get results for another value.
    pub(super) fn check_given(&self) -> Result<(), Fault> {
        if let Some(name) = without_use(self.inputs.arguments, &self.inputs.names) {
            let (name, known) = (cut(name), listed(&self.inputs.names));
            return Err(Fault::of_no_place(format!(
                "a value is given for {name} (--param {name}, metadata param.{name} on the wire), \
                 which is no input of the program; {known}: look at the spelling, or declare input \
                 float {name};"
            )));
        }
        Ok(())
    }
}

/// What the parser alone finds wrong.
pub(super) fn mistake_in_the_rest(parser: &mut Parser<'_>) -> Option<Fault> {
    loop {
        match parser.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(fault) => return Some(fault),
        }
    }
}
