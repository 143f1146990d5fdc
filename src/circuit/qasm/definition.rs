//! Gates: those of the circuit, those of the language, those that a program defines.
//!
//! The names in a body are looked up once, where the gate is defined. So a gate is made of earlier
//! ones only, nothing that is defined later can change it, and its use must end.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::elaborate::STEPS_PER_TURN;
use super::fault::{Fault, Span, quoted};
use super::indices;
use super::library::{self, Library};
use super::modifier::{Budget, Change, changes, controls_of, cost_of_changes, modified};
use super::names::{Meaning, Names};
use super::syntax::{Application, Expression, Form, GateForm, Language, Name, Operand, Statement};
use super::unitary::{TooLong, Unitary};
use super::value::{self, Division, Known, Value, evaluate};
use super::work::{Work, too_long};
use crate::circuit::Gate;
use crate::circuit::limits::QUBITS_MAX;

/// How deep definitions may build on one another: each level is a call on the stack.
const DEPTH_MAX: u32 = 100;
/// Steps of bodies, so that no definition grows beyond what a circuit can hold.
const STEPS_MAX: usize = 100_000;
/// Beyond this an angle in radians has lost its fraction to rounding.
const ANGLE_MAX: f64 = 1e15;

/// What can be applied to qubits.
#[derive(Debug, Clone)]
pub(super) enum Callee<'t> {
    Native(Gate),
    /// The language's gate on one qubit, with three angles.
    U,
    /// The language's global phase, on no qubit.
    Phase,
    Defined(Rc<Definition<'t>>),
}

/// A gate that is made of others.
#[derive(Debug)]
pub(super) struct Definition<'t> {
    /// The names, and which of the angles they stand for.
    parameters: BTreeMap<&'t str, usize>,
    qubits: usize,
    body: Vec<Step<'t>>,
    depth: u32,
    language: Language,
}

/// One application within a body.
#[derive(Debug)]
struct Step<'t> {
    callee: Callee<'t>,
    modifiers: Vec<Change>,
    /// With the parameters as the only names.
    arguments: Vec<Expression<'t>>,
    /// Places among the qubits of the definition.
    qubits: Vec<usize>,
    /// Work that it takes, beside that of its gate.
    cost: usize,
}

/// Why a gate could not be spelled out.
#[derive(Debug)]
pub(super) enum Trouble {
    TooLong(TooLong),
    /// In the body of the gate.
    Within(String),
}

impl From<TooLong> for Trouble {
    fn from(why: TooLong) -> Self {
        Self::TooLong(why)
    }
}

impl<'t> Callee<'t> {
    /// What a program's gate is, by its name.
    pub(super) fn named(
        name: Name<'_>,
        names: &Names<'t>,
        language: Language,
    ) -> Result<Self, Fault> {
        let shown = quoted(name.text);
        let message = match names.find(name.text) {
            Some(Meaning::Gate(callee)) => return Ok(callee.clone()),
            Some(Meaning::Opaque) => {
                format!("{shown} is opaque: nobody has said what it does, so it cannot be compiled")
            }
            Some(other) => format!("{shown} is {}, and a gate is needed here", other.kind()),
            None => match library::similar(name.text) {
                Some(known) if matches!(names.find(known), Some(Meaning::Gate(_))) => {
                    format!("there is no gate {shown}: did you mean {known}?")
                }
                Some(known) if known == name.text => format!(
                    "the gate {shown} is not known before it is included: write include \
                     \"{}\"; above",
                    Library::with(known, language)
                ),
                _ => format!("there is no gate {shown}: define it above, or look at its spelling"),
            },
        };
        Err(Fault::new(name.span, message))
    }

    pub(super) fn parameters(&self) -> usize {
        match self {
            Self::Native(gate) => usize::from(gate.theta().is_some()),
            Self::U => 3,
            Self::Phase => 1,
            Self::Defined(definition) => definition.parameters.len(),
        }
    }

    pub(super) fn qubits(&self) -> usize {
        match self {
            Self::Native(gate) => gate.arity(),
            Self::U => 1,
            Self::Phase => 0,
            Self::Defined(definition) => definition.qubits,
        }
    }

    fn depth(&self) -> u32 {
        match self {
            Self::Defined(definition) => definition.depth,
            _ => 0,
        }
    }

    /// What it does to these qubits.
    pub(super) fn spelled_out(
        &self,
        angles: &[f64],
        qubits: &[u32],
        budget: &mut Budget<'_>,
    ) -> Result<Unitary, Trouble> {
        budget.work.spend(1)?;
        match self {
            Self::Native(gate) => {
                let gate = angles
                    .first()
                    .map_or(*gate, |angle| gate.with_theta(*angle));
                Ok(Unitary::gate(gate, qubits))
            }
            Self::U => Ok(Unitary::u(angles[0], angles[1], angles[2], qubits[0])),
            Self::Phase => Ok(Unitary::phase(angles[0])),
            Self::Defined(definition) => definition.spelled_out(angles, qubits, budget),
        }
    }
}

impl<'t> Definition<'t> {
    /// Checks a definition and looks up what it is made of.
    pub(super) fn of(
        form: &GateForm<'t>,
        names: &mut Names<'t>,
        language: Language,
        work: &mut Work<'_>,
    ) -> Result<Self, Fault> {
        let parameters = places(&form.parameters, &BTreeMap::new())?;
        let qubits = places(&form.qubits, &parameters)?;
        if qubits.len() > QUBITS_MAX as usize {
            let message =
                format!("this gate has more than {QUBITS_MAX} qubits, and no circuit has");
            return Err(Fault::new(form.name.span, message));
        }
        let mut body = Body {
            parameters: &parameters,
            qubits: &qubits,
            names,
            language,
            steps: Vec::new(),
            work,
        };
        // A loop's variable must not hide that the outside has the name of a parameter.
        body.names.open();
        let read = body.statements(&form.body);
        body.names.close();
        read?;
        let steps = body.steps;
        let depth = 1 + steps
            .iter()
            .map(|step| step.callee.depth())
            .max()
            .unwrap_or(0);
        if depth > DEPTH_MAX {
            let message = format!("this gate builds on others more than {DEPTH_MAX} levels deep");
            return Err(Fault::new(form.name.span, message));
        }
        Ok(Self {
            parameters,
            qubits: qubits.len(),
            body: steps,
            depth,
            language,
        })
    }

    fn spelled_out(
        &self,
        angles: &[f64],
        qubits: &[u32],
        budget: &mut Budget<'_>,
    ) -> Result<Unitary, Trouble> {
        let angles = Angles {
            parameters: &self.parameters,
            angles,
        };
        let mut whole = Unitary::default();
        for step in &self.body {
            budget.work.spend(step.cost)?;
            let mut inner = Vec::with_capacity(step.arguments.len());
            for argument in &step.arguments {
                let angle = evaluate(argument, Division::of_real(self.language), &angles)
                    .and_then(|angle| angle_of(angle, argument.span));
                inner.push(angle.map_err(|fault| Trouble::Within(fault.message))?);
            }
            let places: Vec<u32> = step.qubits.iter().map(|place| qubits[*place]).collect();
            let (controls, own) = places.split_at(controls_of(&step.modifiers));
            let plain = step.callee.spelled_out(&inner, own, budget)?;
            whole.then(modified(plain, &step.modifiers, controls, budget)?);
            if whole.gates.len() > budget.gates {
                return Err(Trouble::TooLong(TooLong::Operations));
            }
        }
        Ok(whole)
    }
}

/// The angles that a gate is given, by the names that its definition has for them.
struct Angles<'a> {
    parameters: &'a BTreeMap<&'a str, usize>,
    angles: &'a [f64],
}

impl Known for Angles<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let place = self.parameters.get(name)?;
        Some(Value::Real(self.angles[*place]))
    }
}

/// An angle that has not lost its meaning.
pub(super) fn angle_of(value: Value, span: Span) -> Result<f64, Fault> {
    let angle = value::finite(value.real(), span)?;
    if angle.abs() > ANGLE_MAX {
        let message = format!("an angle of {angle:e} radians is only rounding noise");
        return Err(Fault::new(span, message));
    }
    Ok(angle)
}

/// Reads the body of a gate.
struct Body<'b, 't, 'w> {
    parameters: &'b BTreeMap<&'t str, usize>,
    qubits: &'b BTreeMap<&'t str, usize>,
    names: &'b mut Names<'t>,
    language: Language,
    steps: Vec<Step<'t>>,
    /// What is left of the work that one program may make.
    work: &'b mut Work<'w>,
}

impl<'t> Body<'_, 't, '_> {
    fn spend(&mut self, work: usize, span: Span) -> Result<(), Fault> {
        self.work.spend(work).map_err(|why| too_long(why, span))
    }

    fn statements(&mut self, statements: &[Statement<'t>]) -> Result<(), Fault> {
        for statement in statements {
            self.spend(1, statement.span)?;
            match &statement.form {
                Form::Apply(application) => self.apply(application, statement.span)?,
                Form::Barrier(operands) => {
                    operands
                        .iter()
                        .try_for_each(|it| self.place(it).map(drop))?;
                }
                Form::For {
                    variable,
                    kind,
                    over,
                    body,
                } => {
                    self.spend(indices::cost_of_loop(kind, over), statement.span)?;
                    let values = indices::of_loop(kind, over, self.language, self.names)?;
                    for value in values {
                        self.names.open();
                        let value = Meaning::Value(value);
                        let read = self.names.define(*variable, value);
                        let read = read.and_then(|()| self.statements(body));
                        self.names.close();
                        read?;
                        self.spend(STEPS_PER_TURN, statement.span)?;
                    }
                }
                _ => {
                    let message = "only gates can stand in the body of a gate";
                    return Err(Fault::new(statement.span, message));
                }
            }
        }
        Ok(())
    }

    fn apply(&mut self, application: &Application<'t>, span: Span) -> Result<(), Fault> {
        let Application {
            modifiers,
            name,
            arguments,
            operands,
        } = application;
        let callee = Callee::named(*name, self.names, self.language)?;
        self.spend(cost_of_changes(modifiers), span)?;
        let modifiers = changes(modifiers, self.language, self.names, span)?;
        check_shape(&callee, &modifiers, application)?;
        let parameter = |text: &str| self.parameters.contains_key(text);
        let cost = operands.len() + arguments.iter().map(value::cost_of).sum::<usize>();
        let arguments = arguments
            .iter()
            .map(|argument| value::bind(argument, self.names, &parameter))
            .collect::<Result<_, _>>()?;
        let mut qubits = Vec::with_capacity(operands.len());
        for operand in operands {
            let place = self.place(operand)?;
            if qubits.contains(&place) {
                return Err(twice(operand));
            }
            qubits.push(place);
        }
        self.steps.push(Step {
            callee,
            modifiers,
            arguments,
            qubits,
            cost,
        });
        self.spend(cost, span)?;
        self.check_length(span)
    }

    fn place(&self, operand: &Operand<'t>) -> Result<usize, Fault> {
        let shown = quoted(operand.name.text);
        let place = self.qubits.get(operand.name.text).copied();
        let place = place.ok_or_else(|| {
            let message = format!(
                "{shown} is not among the qubits of this gate, and it acts on no others: name one \
                 more in its first line"
            );
            Fault::new(operand.span, message)
        })?;
        if operand.indices.is_some() {
            let message = format!("{shown} is one qubit within a gate and has no index");
            return Err(Fault::new(operand.span, message));
        }
        Ok(place)
    }

    fn check_length(&self, span: Span) -> Result<(), Fault> {
        if self.steps.len() <= STEPS_MAX {
            return Ok(());
        }
        let message = format!("this gate has more than {STEPS_MAX} steps");
        Err(Fault::new(span, message))
    }
}

/// Which place each name has, if none is among the others or occurs twice.
fn places<'t>(
    names: &[Name<'t>],
    others: &BTreeMap<&'t str, usize>,
) -> Result<BTreeMap<&'t str, usize>, Fault> {
    let mut places = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        if others.contains_key(name.text) || places.insert(name.text, place).is_some() {
            let message = format!("{} is named twice", quoted(name.text));
            return Err(Fault::new(name.span, message));
        }
    }
    Ok(places)
}

/// Whether a gate is given as many angles and qubits as it takes.
pub(super) fn check_shape(
    callee: &Callee<'_>,
    modifiers: &[Change],
    application: &Application<'_>,
) -> Result<(), Fault> {
    let name = quoted(application.name.text);
    let takes = |wanted: usize, what: &str, given: usize| {
        let plural = if wanted == 1 { "" } else { "s" };
        let wanted = match wanted {
            0 => "no".to_owned(),
            some => some.to_string(),
        };
        format!("{name} takes {wanted} {what}{plural} and is given {given}")
    };
    let (wanted, given) = (callee.parameters(), application.arguments.len());
    if wanted != given {
        let message = takes(wanted, "angle", given);
        return Err(Fault::new(application.name.span, message));
    }
    let controls = controls_of(modifiers);
    let (wanted, given) = (callee.qubits() + controls, application.operands.len());
    if wanted != given {
        let mut message = takes(wanted, "qubit", given);
        if controls > 0 {
            message += &format!(", of which {controls} as control");
        }
        return Err(Fault::new(application.name.span, message));
    }
    Ok(())
}

/// The complaint about a qubit that occurs before in the same operation.
pub(super) fn twice(operand: &Operand<'_>) -> Fault {
    let message = "the same qubit is given twice: an operation acts on distinct qubits";
    Fault::new(operand.span, message)
}
