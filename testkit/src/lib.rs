//! What tests, benches and the simulated world share: a clock that is moved by hand, and doubles
//! of the two neighbours. Everything but [`neighbours::serve`] runs in both worlds.

pub mod hand_clock;
pub mod neighbours;
