//! Who has which reservation, and which are over: what is told of them, and under which key they
//! were asked for. Their slots and the jobs that use them are in the [`super::Scheduler`].
//!
//! With `r` reservations that go on every operation costs O(log n), or O(r) where it says so.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{Epoch, ReservationId};
use crate::job::spec::Owner;
use crate::job::target::Target;
use crate::limits::{KEY_KEPT_MIN, RESERVATIONS_OVER_MAX};
use crate::schedule::reservation::{Over, Reservation, Wish};
use crate::time::Timestamp;

/// All reservations that are known.
#[derive(Debug, Default)]
pub struct Register {
    known: BTreeMap<ReservationId, Entry>,
    keys: BTreeMap<Scope, ReservationId>,
    /// Those that are over, in the order in which they ended.
    over: VecDeque<ReservationId>,
    /// How many were made since start.
    made: u64,
}

/// A key, and whose it is.
type Scope = (String, String, String);

#[derive(Debug)]
struct Entry {
    record: Reservation,
    stage: Stage,
}

/// How far a reservation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is being stored, and nobody was told of it.
    Asked,
    /// It goes on.
    Stands,
    /// That it is over is decided and being stored.
    Ending,
    /// It is over.
    Over,
}

impl Register {
    /// The name of the next one; `None` when there are no more.
    pub fn next_id(&mut self, epoch: Epoch) -> Option<ReservationId> {
        self.made += 1;
        ReservationId::new(epoch, self.made)
    }

    /// Takes in what the store has.
    pub fn load(&mut self, records: Vec<Reservation>) {
        let mut over: Vec<_> = records
            .iter()
            .filter_map(|record| Some((record.over?, record.id)))
            .collect();
        over.sort_by_key(|(over, id)| (over.at, *id));
        self.over = over.into_iter().map(|(_, id)| id).collect();
        for record in records {
            let stage = match record.over {
                Some(_) => Stage::Over,
                None => Stage::Stands,
            };
            self.insert(record, stage);
        }
    }

    /// A reservation is being stored.
    pub fn asked(&mut self, record: Reservation) {
        self.insert(record, Stage::Asked);
    }

    fn insert(&mut self, record: Reservation, stage: Stage) {
        if let Some(scope) = scope(&record) {
            self.keys.insert(scope, record.id);
        }
        self.known.insert(record.id, Entry { record, stage });
    }

    /// It is stored.
    pub fn stands(&mut self, id: ReservationId) {
        if let Some(entry) = self.known.get_mut(&id) {
            entry.stage = Stage::Stands;
        }
    }

    /// It is not stored, and never was; or it need not be known any more.
    pub fn forget(&mut self, id: ReservationId) {
        if let Some(entry) = self.known.remove(&id)
            && let Some(scope) = scope(&entry.record)
        {
            self.keys.remove(&scope);
        }
        if self.over.front() == Some(&id) {
            self.over.pop_front();
        }
    }

    /// Decides that a reservation is over, and gives the record of it; `None` if it does not go
    /// on. Whoever decides stores the record.
    pub fn ends(&mut self, id: ReservationId, over: Over) -> Option<Reservation> {
        let entry = self.known.get_mut(&id)?;
        if entry.stage != Stage::Stands {
            return None;
        }
        entry.stage = Stage::Ending;
        entry.record.over = Some(over);
        Some(entry.record.clone())
    }

    /// That it is over is stored.
    pub fn ended(&mut self, id: ReservationId) {
        if let Some(entry) = self.known.get_mut(&id) {
            entry.stage = Stage::Over;
            self.over.push_back(id);
        }
    }

    /// Those that need not be known any more, at most two: with each that is made, so that they do
    /// not pile up.
    pub fn outlived(&self, now: Timestamp) -> Vec<ReservationId> {
        let beyond = self.over.len().saturating_sub(RESERVATIONS_OVER_MAX);
        let first = self.over.iter().take(2).enumerate();
        let outlived = first.filter(|(nth, id)| {
            let over = self.known[*id].record.over;
            *nth < beyond || over.is_some_and(|over| now.since(over.at) >= KEY_KEPT_MIN)
        });
        outlived.map(|(_, id)| *id).collect()
    }

    /// What is known of one, and how far it has come.
    pub fn of(&self, id: ReservationId) -> Option<(&Reservation, Stage)> {
        let entry = self.known.get(&id)?;
        Some((&entry.record, entry.stage))
    }

    /// What was asked for with the key of a wish.
    pub fn with_key_of(&self, wish: &Wish) -> Option<(&Reservation, Stage)> {
        let key = wish.key.clone()?;
        let Owner {
            tenant, project, ..
        } = wish.owner.clone();
        self.of(*self.keys.get(&(tenant, project, key))?)
    }

    /// Those that have a slot, the earlier first. O(n).
    pub fn holders(&self) -> impl Iterator<Item = &Reservation> {
        let entries = self.known.values();
        let hold = entries.filter(|entry| entry.stage != Stage::Over);
        hold.map(|entry| &entry.record)
    }

    /// When the first of those ends that have a slot of a device, or of a tenant, at most. O(n).
    pub fn first_end(&self, whose: impl Fn(&Reservation) -> bool) -> Option<Timestamp> {
        let ends = self.holders().filter(|record| whose(record));
        ends.map(|record| record.expires_at).min()
    }

    /// Whether a job of a tenant, for a target, may use the reservation that it names.
    ///
    /// # Errors
    /// Why not, and what to do, for a person.
    pub fn admits(&self, id: ReservationId, tenant: &str, target: &Target) -> Result<(), String> {
        let known = self.of(id);
        let own = known
            .filter(|(record, stage)| record.owner.tenant == *tenant && *stage != Stage::Asked);
        let Some((record, _)) = own else {
            return Err(format!(
                "{tenant} has no reservation {id}: `qrtx reserve` makes one"
            ));
        };
        if *target != Target::Device(record.device.clone()) {
            return Err(format!(
                "{id} is a slot of {}, and the job asks for {target}: let it ask for that device",
                record.device
            ));
        }
        self.goes_on(id)
    }

    /// Whether a reservation still goes on.
    ///
    /// # Errors
    /// Why not, and what to do, for a person.
    pub fn goes_on(&self, id: ReservationId) -> Result<(), String> {
        match self.of(id) {
            None => Err(format!(
                "{id} is not known any more: submit again without it"
            )),
            Some((record, _)) => match record.over {
                None => Ok(()),
                Some(over) => Err(over.why.told_of(id)),
            },
        }
    }
}

fn scope(record: &Reservation) -> Option<Scope> {
    let Owner {
        tenant, project, ..
    } = record.owner.clone();
    Some((tenant, project, record.key.clone()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::reservation::Why;

    const HOUR: i64 = 3_600_000_000;

    fn wish(key: Option<&str>) -> Wish {
        Wish {
            device: "sim:a".parse().unwrap(),
            ttl: Duration::from_secs(60),
            owner: Owner {
                tenant: "ada".to_owned(),
                project: "p".to_owned(),
                subject: String::new(),
            },
            purpose: String::new(),
            key: key.map(ToOwned::to_owned),
        }
    }

    fn over(at: i64) -> Over {
        Over {
            at: Timestamp(at),
            why: Why::Released,
        }
    }

    fn made(register: &mut Register, key: Option<&str>) -> ReservationId {
        let id = register.next_id(Epoch(1)).unwrap();
        register.asked(Reservation::new(id, wish(key), Timestamp(0)));
        id
    }

    #[test]
    fn the_first_end_stands_and_only_one_that_goes_on_has_an_end() {
        let mut register = Register::default();
        let id = made(&mut register, None);
        assert_eq!(register.ends(id, over(5)), None, "nobody was told of it");
        register.stands(id);
        assert_eq!(register.ends(id, over(6)).unwrap().over, Some(over(6)));
        assert_eq!(register.ends(id, over(7)), None);
        assert_eq!(register.holders().count(), 1, "its slot is not free yet");
        register.ended(id);
        assert_eq!(register.ends(id, over(8)), None);
        assert_eq!(register.of(id).unwrap().0.over, Some(over(6)));
        assert_eq!(register.holders().count(), 0);
    }

    #[test]
    fn a_key_names_its_reservation_until_that_is_forgotten() {
        let mut register = Register::default();
        let id = made(&mut register, Some("k"));
        let found = |register: &Register, key| register.with_key_of(&wish(key)).map(|it| it.0.id);
        assert_eq!(found(&register, Some("k")), Some(id));
        assert_eq!(found(&register, Some("l")), None);
        assert_eq!(found(&register, None), None);
        register.forget(id);
        assert_eq!(found(&register, Some("k")), None);
    }

    #[test]
    fn those_that_are_over_are_forgotten_by_age_and_by_number_the_oldest_first() {
        let mut register = Register::default();
        let ids: Vec<_> = (0..RESERVATIONS_OVER_MAX + 2)
            .map(|_| made(&mut register, None))
            .collect();
        for (nth, id) in ids.iter().enumerate() {
            register.stands(*id);
            register.ends(*id, over(if nth == 0 { 0 } else { HOUR }));
            register.ended(*id);
            let outlived = register.outlived(Timestamp(HOUR));
            assert_eq!(
                outlived,
                ids[..(nth + 1).saturating_sub(RESERVATIONS_OVER_MAX)]
            );
        }
        register.forget(ids[0]);
        register.forget(ids[1]);
        assert_eq!(register.outlived(Timestamp(72 * HOUR)), []);
        assert_eq!(register.outlived(Timestamp(73 * HOUR)), ids[2..4]);
        let mut again = Register::default();
        again.load(
            register
                .known
                .into_values()
                .map(|entry| entry.record)
                .collect(),
        );
        assert_eq!(again.over.len(), RESERVATIONS_OVER_MAX);
        assert_eq!(again.outlived(Timestamp(73 * HOUR)), ids[2..4]);
    }

    #[test]
    fn a_job_may_use_what_is_its_tenants_on_its_device_and_goes_on() {
        let mut register = Register::default();
        let id = made(&mut register, None);
        let why = |register: &Register, tenant, target| {
            let target: &str = target;
            register
                .admits(id, tenant, &target.parse().unwrap())
                .unwrap_err()
        };
        assert!(
            why(&register, "ada", "sim:a").contains("has no reservation"),
            "it is not told"
        );
        register.stands(id);
        assert_eq!(
            register.admits(id, "ada", &"sim:a".parse().unwrap()),
            Ok(())
        );
        assert!(why(&register, "bob", "sim:a").starts_with("bob has no reservation rsv-"));
        assert!(
            why(&register, "ada", "sim:b")
                .contains("is a slot of sim:a, and the job asks for sim:b")
        );
        assert!(why(&register, "ada", "sim:*").contains("let it ask for that device"));
        register.ends(id, over(5));
        assert!(why(&register, "ada", "sim:a").contains("was released: submit again without it"));
        register.ended(id);
        register.forget(id);
        assert!(
            register
                .goes_on(id)
                .unwrap_err()
                .contains("not known any more")
        );
    }
}
