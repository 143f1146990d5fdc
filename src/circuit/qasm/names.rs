//! What names stand for.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::definition::Callee;
use super::fault::{Fault, quoted};
use super::syntax::Name;
use super::value::{Known, Value};

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Meaning<'t> {
    Value(Value),
    Qubits(Register),
    Bits(Register),
    Gate(Callee<'t>),
    /// A gate of which only the shape is known.
    Opaque,
}

impl Meaning<'_> {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Value(_) => "a number",
            Self::Qubits(_) => "a quantum register",
            Self::Bits(_) => "a classical register",
            Self::Gate(_) | Self::Opaque => "a gate",
        }
    }
}

/// Qubits or bits of the circuit under one name.
#[derive(Debug, Clone)]
pub(super) struct Register {
    pub(super) elements: Rc<[u32]>,
    /// Declared without a size: a qubit or a bit rather than a register of one.
    pub(super) single: bool,
}

/// All names that are known at one place of the text, the innermost block last.
#[derive(Debug)]
pub(super) struct Names<'t> {
    blocks: Vec<BTreeMap<&'t str, Entry<'t>>>,
}

#[derive(Debug)]
struct Entry<'t> {
    meaning: Meaning<'t>,
    /// Gates of a library may be defined anew: files that others export bring their own.
    may_be_replaced: bool,
}

impl<'t> Names<'t> {
    pub(super) fn new() -> Self {
        Self {
            blocks: vec![BTreeMap::new()],
        }
    }

    /// What the name stands for.
    pub(super) fn find(&self, name: &str) -> Option<&Meaning<'t>> {
        let mut blocks = self.blocks.iter().rev();
        blocks
            .find_map(|block| block.get(name))
            .map(|known| &known.meaning)
    }

    /// Lets a name of a library stand for something.
    pub(super) fn provide(&mut self, name: &'t str, meaning: Meaning<'t>) {
        let known = Entry {
            meaning,
            may_be_replaced: true,
        };
        // What the program has defined before the include stays.
        self.block().entry(name).or_insert(known);
    }

    /// Lets a name of the program stand for something.
    pub(super) fn define(&mut self, name: Name<'t>, meaning: Meaning<'t>) -> Result<(), Fault> {
        let block = self.block();
        if let Some(known) = block.get(name.text)
            && !known.may_be_replaced
        {
            let (shown, kind) = (quoted(name.text), known.meaning.kind());
            let message = format!("{shown} is defined already, as {kind}: choose another name");
            return Err(Fault::new(name.span, message));
        }
        let known = Entry {
            meaning,
            may_be_replaced: false,
        };
        block.insert(name.text, known);
        Ok(())
    }

    pub(super) fn is_global(&self) -> bool {
        self.blocks.len() == 1
    }

    pub(super) fn open(&mut self) {
        self.blocks.push(BTreeMap::new());
    }

    pub(super) fn close(&mut self) {
        self.blocks.pop();
    }

    fn block(&mut self) -> &mut BTreeMap<&'t str, Entry<'t>> {
        self.blocks.last_mut().expect("the outermost block stays")
    }
}

impl Known for Names<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        match self.find(name) {
            Some(Meaning::Value(value)) => Some(*value),
            _ => None,
        }
    }

    fn size(&self, name: &str) -> Option<usize> {
        match self.find(name) {
            Some(Meaning::Qubits(register) | Meaning::Bits(register)) if !register.single => {
                Some(register.elements.len())
            }
            _ => None,
        }
    }

    fn kind(&self, name: &str) -> Option<&'static str> {
        self.find(name).map(Meaning::kind)
    }
}
