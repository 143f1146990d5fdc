//! The gate vocabulary: names, number of operands, matrices.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_4};

use num_complex::Complex64;

/// A 2x2 matrix by rows: `matrix[row][column]`.
pub type Matrix2 = [[Complex64; 2]; 2];

/// A gate; angles are in radians. Operands are given controls first, target last.
///
/// The names are those of AQO (upper case), read in any case, with the common aliases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// Rotation about the x axis of the Bloch sphere.
    Rx(f64),
    /// Rotation about the y axis.
    Ry(f64),
    /// Rotation about the z axis: `diag(e^(-i theta/2), e^(i theta/2))`.
    Rz(f64),
    /// Phase of the one state: `diag(1, e^(i theta))`, equal to RZ but for the global phase.
    P(f64),
    /// Pauli X, the NOT.
    X,
    /// Pauli Y.
    Y,
    /// Pauli Z.
    Z,
    /// Hadamard.
    H,
    /// Quarter turn about z, the square root of Z.
    S,
    /// Inverse of S.
    Sdg,
    /// Eighth turn about z, the square root of S.
    T,
    /// Inverse of T.
    Tdg,
    /// Square root of X.
    Sx,
    /// Controlled X.
    Cx,
    /// Controlled Z.
    Cz,
    /// Controlled phase.
    Cp(f64),
    /// Exchanges two qubits.
    Swap,
    /// Doubly controlled X, the Toffoli gate.
    Ccx,
    /// Doubly controlled Z.
    Ccz,
}

/// The one name of an operation that is known by several, in any case: drivers and clients differ.
pub fn op_name(told: &str) -> String {
    let told = told.trim();
    let gate = Gate::named(told, 0.0);
    gate.map_or_else(|| told.to_uppercase(), |gate| gate.name().to_owned())
}

impl Gate {
    /// One of each gate, the angles being 1 where there is one.
    pub const ALL: [Self; 19] = [
        Self::Rx(1.0),
        Self::Ry(1.0),
        Self::Rz(1.0),
        Self::P(1.0),
        Self::X,
        Self::Y,
        Self::Z,
        Self::H,
        Self::S,
        Self::Sdg,
        Self::T,
        Self::Tdg,
        Self::Sx,
        Self::Cx,
        Self::Cz,
        Self::Cp(1.0),
        Self::Swap,
        Self::Ccx,
        Self::Ccz,
    ];

    /// The AQO name, in upper case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rx(_) => "RX",
            Self::Ry(_) => "RY",
            Self::Rz(_) => "RZ",
            Self::P(_) => "P",
            Self::X => "X",
            Self::Y => "Y",
            Self::Z => "Z",
            Self::H => "H",
            Self::S => "S",
            Self::Sdg => "SDG",
            Self::T => "T",
            Self::Tdg => "TDG",
            Self::Sx => "SX",
            Self::Cx => "CX",
            Self::Cz => "CZ",
            Self::Cp(_) => "CP",
            Self::Swap => "SWAP",
            Self::Ccx => "CCX",
            Self::Ccz => "CCZ",
        }
    }

    /// The gate of this name in any case, with angle `theta` if it takes one; `None` if unknown.
    ///
    /// CNOT, TOFFOLI, PHASE and CPHASE are read as CX, CCX, P and CP.
    #[must_use]
    pub fn named(name: &str, theta: f64) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let name = match upper.as_str() {
            "CNOT" => "CX",
            "TOFFOLI" => "CCX",
            "PHASE" => "P",
            "CPHASE" => "CP",
            other => other,
        };
        let gate = Self::ALL.into_iter().find(|gate| gate.name() == name)?;
        Some(gate.with_theta(theta))
    }

    /// The same gate with another angle; gates without an angle stay as they are.
    #[must_use]
    pub const fn with_theta(self, theta: f64) -> Self {
        match self {
            Self::Rx(_) => Self::Rx(theta),
            Self::Ry(_) => Self::Ry(theta),
            Self::Rz(_) => Self::Rz(theta),
            Self::P(_) => Self::P(theta),
            Self::Cp(_) => Self::Cp(theta),
            other => other,
        }
    }

    /// The angle in radians, for the gates that take one.
    #[must_use]
    pub const fn theta(self) -> Option<f64> {
        match self {
            Self::Rx(theta) | Self::Ry(theta) | Self::Rz(theta) => Some(theta),
            Self::P(theta) | Self::Cp(theta) => Some(theta),
            _ => None,
        }
    }

    /// How many qubits the gate acts on, 1..=3.
    #[must_use]
    pub const fn arity(self) -> usize {
        match self {
            Self::Cx | Self::Cz | Self::Cp(_) | Self::Swap => 2,
            Self::Ccx | Self::Ccz => 3,
            _ => 1,
        }
    }

    /// What the last operand undergoes when all operands before it are one; they are controls.
    ///
    /// `None` for SWAP, which alone is not of this form.
    #[must_use]
    pub fn matrix(self) -> Option<Matrix2> {
        let (zero, one) = (real(0.0), real(1.0));
        let i = Complex64::i();
        Some(match self {
            Self::Rx(theta) => {
                let (sin, cos) = (theta / 2.0).sin_cos();
                [[real(cos), -i * sin], [-i * sin, real(cos)]]
            }
            Self::Ry(theta) => {
                let (sin, cos) = (theta / 2.0).sin_cos();
                [[real(cos), real(-sin)], [real(sin), real(cos)]]
            }
            Self::Rz(theta) => diagonal(turn(-theta / 2.0), turn(theta / 2.0)),
            Self::P(theta) | Self::Cp(theta) => diagonal(one, turn(theta)),
            Self::X | Self::Cx | Self::Ccx => [[zero, one], [one, zero]],
            Self::Y => [[zero, -i], [i, zero]],
            Self::Z | Self::Cz | Self::Ccz => diagonal(one, -one),
            Self::H => {
                let half = real(FRAC_1_SQRT_2);
                [[half, half], [half, -half]]
            }
            Self::S => diagonal(one, i),
            Self::Sdg => diagonal(one, -i),
            Self::T => diagonal(one, turn(FRAC_PI_4)),
            Self::Tdg => diagonal(one, turn(-FRAC_PI_4)),
            Self::Sx => {
                let (plus, minus) = (Complex64::new(0.5, 0.5), Complex64::new(0.5, -0.5));
                [[plus, minus], [minus, plus]]
            }
            Self::Swap => return None,
        })
    }
}

const fn real(value: f64) -> Complex64 {
    Complex64::new(value, 0.0)
}

/// `e^(i angle)`.
fn turn(angle: f64) -> Complex64 {
    Complex64::from_polar(1.0, angle)
}

const fn diagonal(first: Complex64, second: Complex64) -> Matrix2 {
    [[first, real(0.0)], [real(0.0), second]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matrix_is_unitary() {
        for gate in Gate::ALL {
            let Some(matrix) = gate.matrix() else {
                continue;
            };
            for row in 0..2 {
                for column in 0..2 {
                    let product: Complex64 = (0..2)
                        .map(|k| matrix[row][k] * matrix[column][k].conj())
                        .sum();
                    let wanted = if row == column { 1.0 } else { 0.0 };
                    assert!((product - real(wanted)).norm() < 1e-12, "{}", gate.name());
                }
            }
        }
    }

    #[test]
    fn names_are_read_in_any_case_and_with_aliases() {
        for gate in Gate::ALL {
            assert_eq!(Gate::named(gate.name(), 1.0), Some(gate));
            assert_eq!(Gate::named(&gate.name().to_lowercase(), 1.0), Some(gate));
        }
        assert_eq!(Gate::named("cnot", 0.0), Some(Gate::Cx));
        assert_eq!(Gate::named("Toffoli", 0.0), Some(Gate::Ccx));
        assert_eq!(Gate::named("CPHASE", 0.5), Some(Gate::Cp(0.5)));
        assert_eq!(Gate::named("U3", 0.0), None);
        assert_eq!(Gate::named("", 0.0), None);
    }

    #[test]
    fn only_gates_with_an_angle_take_one() {
        assert_eq!(Gate::Rz(1.0).with_theta(2.0), Gate::Rz(2.0));
        assert_eq!(Gate::H.with_theta(2.0), Gate::H);
        assert_eq!(Gate::Cp(0.25).theta(), Some(0.25));
        assert_eq!(Gate::Cx.theta(), None);
    }
}
