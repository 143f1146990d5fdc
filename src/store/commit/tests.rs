use super::*;
use crate::ids::FencingToken;
use crate::job::event::{Event, OnUnknown};
use crate::job::ledger::{Entry, Settlement};
use crate::job::tests::examples::job;
use crate::store::look;
use crate::store::map::Rows;

const FIRST: Epoch = Epoch(1);

fn history(job: &Job) -> Vec<Recorded> {
    let spec = job.spec.clone();
    vec![job.recorded(Event::Submitted { spec })]
}

fn submit(rows: &mut Rows, job: &Job) {
    let append = Change::Append(Encoded {
        program: Some(record::seal(b"a program")),
        ..Encoded::whole(job, &history(job))
    });
    append.make(rows, FIRST).unwrap();
}

/// A store with one job.
fn rows(job: &Job) -> Rows {
    let mut rows = Rows::new();
    own::claim(&mut rows).unwrap();
    submit(&mut rows, job);
    rows
}

/// Two jobs, and a store with both.
fn two() -> (Job, Job, Rows) {
    let (one, mut other) = (job(), job());
    other.id = JobId::new(9, [9; 10]);
    let mut rows = rows(&one);
    submit(&mut rows, &other);
    (one, other, rows)
}

#[test]
fn a_record_is_written_anew_when_its_head_is_and_not_when_its_events_stand() {
    let job = job();
    let mut rows = rows(&job);
    let replace = Change::replace(&job, &history(&job));
    assert_eq!(replace.is_made(&rows), Ok(Some(1)));
    rows.put(&place::head(1), b"damaged").unwrap();
    assert_eq!(replace.is_made(&rows), Ok(None));
    replace.make(&mut rows, FIRST).unwrap();
    assert_eq!(replace.is_made(&rows), Ok(Some(1)));
    // What would be read first must not be of another history.
    rows.put(&place::row(1, CHECKPOINT), b"of before").unwrap();
    assert_eq!(replace.is_made(&rows), Ok(None));
}

#[test]
fn a_head_that_is_written_anew_is_kept_aside_until_its_job_is_forgotten() {
    let mut ended = job();
    let mut rows = rows(&ended);
    let before = rows.get(&place::head(1)[..]).unwrap().clone();
    let mut events = history(&ended);
    let over = Event::DeadlinePassed {
        waited_for: String::new(),
    };
    for event in [over, Event::Reported { written: true }] {
        ended.apply(&event, ended.updated_at).unwrap();
        events.push(ended.recorded(event));
    }
    Change::replace(&ended, &events)
        .make(&mut rows, FIRST)
        .unwrap();
    let sum = crc32fast::hash(&before);
    assert_eq!(rows.get(&place::head_aside(1, sum)[..]), Some(&before));
    let forget = Change::Forget(vec![ended.id]);
    forget.make(&mut rows, FIRST).unwrap();
    let left: Vec<_> = rows.keys().map(|place| place[0] as char).collect();
    assert_eq!(left, ['f', 'm', 'm', 'm', 'm'], "its name, and numbers");
}

#[test]
fn a_checkpoint_comes_with_every_32nd_event_and_before_a_device_is_asked() {
    let has_one = |job: &Job, events: &[Recorded]| Encoded::whole(job, events).checkpoint.is_some();
    let mut job = job();
    assert!(!has_one(&job, &history(&job)));
    let intended = Event::Intended {
        token: FencingToken::new(FIRST, 1),
        on_unknown: OnUnknown::Fail,
    };
    let intended = job.recorded(intended);
    assert!(has_one(&job, &[intended]));
    let admitted = vec![job.recorded(Event::Admitted); 3];
    for (last, there) in [(16, false), (31, false), (32, true), (33, false)] {
        job.seq = last;
        assert_eq!(has_one(&job, &admitted[..1]), there, "event {last}");
    }
    assert!(has_one(&job, &admitted), "one of the three is the 32nd");
}

#[test]
fn a_job_that_lost_its_head_is_found_and_its_number_is_given_to_no_other() {
    let job = job();
    let mut rows = rows(&job);
    rows.remove(&place::head(1)[..]);
    let found = look::unfinished(&rows, 0, 9).unwrap();
    assert_eq!((found.len(), found[0].id), (1, job.id));
    assert!(found[0].head.is_err());
    let page = look::list(&rows, &Default::default(), u64::MAX, 9).unwrap();
    assert_eq!((page.jobs.len(), page.unreadable), (0, vec![job.id]));
    own::claim(&mut rows).unwrap();
    assert_eq!((own::last_given(&rows), own::count(&rows)), (Ok(1), Ok(1)));
}

#[test]
fn a_job_that_lost_head_and_name_is_told_by_its_number_and_hides_no_other() {
    let job = job();
    let mut rows = rows(&job);
    rows.remove(&place::head(1)[..]);
    rows.remove(&place::name(job.id)[..]);
    assert_eq!(look::unfinished(&rows, 0, 9), Ok(Vec::new()));
    let page = look::list(&rows, &Default::default(), u64::MAX, 9).unwrap();
    assert_eq!((page.jobs.len(), page.nameless), (0, vec![1]));
}

#[test]
fn an_epoch_is_never_taken_twice_though_one_copy_of_it_is_lost() {
    let mut rows = rows(&job());
    let place = |name: &str| place::meta(name);
    for (number, lost) in ["epoch", "epoch-copy", "epoch"].into_iter().enumerate() {
        let next = Epoch(number as u32 + 2);
        match number {
            0 => drop(rows.remove(&place(lost)[..])),
            _ => rows.put(&place(lost), b"damaged").unwrap(),
        }
        assert_eq!(own::claim(&mut rows), Ok(next), "{lost}");
    }
}

#[test]
fn an_epoch_that_is_lost_altogether_is_taken_from_what_devices_were_told() {
    let damage: [fn(&mut Rows, &[u8]); 2] = [
        |rows, place| drop(rows.remove(place)),
        |rows, place| rows.put(place, b"damaged").unwrap(),
    ];
    for lose in damage {
        let mut job = job();
        let mut rows = rows(&job);
        let lost = |rows: &mut Rows| {
            lose(rows, &place::meta("epoch"));
            lose(rows, &place::meta("epoch-copy"));
            own::claim(rows)
        };
        assert_eq!(lost(&mut rows), Ok(Epoch(1)), "nobody was told anything");
        job.seq = 5;
        let token = FencingToken::new(Epoch(41), 1);
        let intended = Event::Intended {
            token,
            on_unknown: OnUnknown::Fail,
        };
        let intended = job.recorded(intended);
        rows.put(&place::row(1, 5), &record::encode(&intended))
            .unwrap();
        // A program may say anything.
        let token = FencingToken::new(Epoch(u32::MAX), 1);
        let program = job.recorded(Event::Intended {
            token,
            on_unknown: OnUnknown::Fail,
        });
        rows.put(&place::row(1, PROGRAM), &record::encode(&program))
            .unwrap();
        assert_eq!(lost(&mut rows), Ok(Epoch(42)));
        rows.remove(&place::row(1, 5)[..]);
        job.ledger.push(Entry {
            attempt: 1,
            device: "qpu".parse().unwrap(),
            token: FencingToken::new(Epoch(50), 1),
            intended_at: job.updated_at,
            on_unknown: OnUnknown::Fail,
            requested: 1,
            settlement: Settlement::not_run(1, "a proof"),
            open: false,
        });
        rows.put(&place::row(1, CHECKPOINT), &record::encode(&job))
            .unwrap();
        assert_eq!(lost(&mut rows), Ok(Epoch(51)));
        let held = ReservationId::new(Epoch(60), 1).unwrap();
        rows.put(&place::reservation(held), b"damaged").unwrap();
        assert_eq!(lost(&mut rows), Ok(Epoch(61)));
    }
}

#[test]
fn a_job_whose_head_and_last_events_are_gone_is_what_its_checkpoint_says() {
    let mut job = job();
    let mut rows = rows(&job);
    job.apply(&Event::Admitted, job.updated_at).unwrap();
    let admitted = vec![job.recorded(Event::Admitted)];
    let mut append = Encoded::whole(&job, &admitted);
    append.checkpoint = Some(record::encode(&job));
    Change::Append(append).make(&mut rows, FIRST).unwrap();
    rows.remove(&place::head(1)[..]);
    rows.remove(&place::row(1, 2)[..]);
    let left = look::salvage(&rows, job.id).unwrap().unwrap();
    let broken = left.broken.expect("an event is missing");
    assert!(broken.contains("event 2 is missing"), "{broken}");
    assert_eq!(left.whole.map(|whole| whole.state), Some(job.state));
}

#[test]
fn a_name_that_leads_to_another_job_is_not_followed() {
    let (mut one, other, mut rows) = two();
    let before = rows.get(&place::head(2)[..]).unwrap().clone();
    rows.put(&place::name(one.id), &record::number(2)).unwrap();
    one.apply(&Event::Admitted, one.updated_at).unwrap();
    let admitted = vec![one.recorded(Event::Admitted)];
    let append = Change::Append(Encoded::whole(&one, &admitted));
    assert_eq!(append.make(&mut rows, FIRST).unwrap(), 1);
    assert_eq!(rows.get(&place::head(2)[..]), Some(&before));
    assert_eq!(
        look::head(&rows, one.id).map(|head| head.unwrap().seq),
        Ok(2)
    );

    // Also where nobody says whose that is, or where nothing is at all.
    for (leads_to, gone) in [(2, None), (2, Some(place::head(2))), (99, None)] {
        rows.put(&place::name(one.id), &record::number(leads_to))
            .unwrap();
        gone.map(|head| rows.remove(&head[..]));
        let left = look::salvage(&rows, one.id).unwrap().unwrap();
        assert_eq!((left.submission, left.events.len()), (1, 2));
        if leads_to == 2 && gone.is_some() {
            assert_eq!(find::name_of(&rows, 2), Ok(Some(other.id)));
            continue;
        }
        let read = look::events(&rows, one.id, 0, 9);
        assert_eq!(read.is_err(), leads_to == 2, "{read:?}");
    }
}

#[test]
fn a_head_in_the_place_of_another_hides_no_job() {
    let (one, other, mut rows) = two();
    let whole = rows.clone();
    // A sum goes with the place, so a head that was misplaced is one that was written there.
    let misplaced = Encoded::whole(&other, &history(&other)).head;
    rows.put(&place::head(1), &misplaced).unwrap();
    let page = look::list(&rows, &Default::default(), u64::MAX, 9).unwrap();
    assert_eq!(page.unreadable, [one.id]);
    assert_eq!(page.jobs.len(), 1);
    Change::replace(&one, &history(&one))
        .make(&mut rows, FIRST)
        .unwrap();
    assert_eq!(
        rows.get(&place::head(1)[..]),
        whole.get(&place::head(1)[..])
    );
}

#[test]
fn how_many_jobs_there_are_is_counted_anew_when_that_number_is_lost() {
    let mut rows = rows(&job());
    for damage in [None, Some(&b"damaged"[..]), Some(&record::number(9))] {
        match damage {
            None => drop(rows.remove(&place::meta(own::GONE)[..])),
            Some(row) => rows.put(&place::meta(own::GONE), row).unwrap(),
        }
        own::claim(&mut rows).unwrap();
        assert_eq!(own::count(&rows), Ok(1), "{damage:?}");
    }
}

#[test]
fn heads_that_have_changed_places_are_told_by_their_checkpoints() {
    let (one, other, mut rows) = two();
    for (number, job) in [(1, &one), (2, &other)] {
        rows.put(&place::row(number, CHECKPOINT), &record::encode(job))
            .unwrap();
    }
    let whole = rows.clone();
    let head = |number: u64| whole.get(&place::head(number)[..]).unwrap().clone();
    rows.put(&place::head(1), &head(2)).unwrap();
    rows.put(&place::head(2), &head(1)).unwrap();
    for (number, job) in [(1, &one), (2, &other)] {
        let left = look::salvage(&rows, job.id).unwrap().unwrap();
        assert_eq!(left.submission, number);
        Change::replace(job, &history(job))
            .make(&mut rows, FIRST)
            .unwrap();
    }
    for number in [1, 2] {
        assert_eq!(rows.get(&place::head(number)[..]), Some(&head(number)));
    }
}

#[test]
fn a_key_that_another_job_has_taken_stays_when_the_first_is_forgotten() {
    let (mut ended, other, mut rows) = two();
    let mut spec = (*ended.spec).clone();
    spec.idempotency_key = Some("a key".to_owned());
    ended.spec = spec.into();
    let key = ended.spec.key().unwrap();
    let mut events = history(&ended);
    let over = Event::DeadlinePassed {
        waited_for: String::new(),
    };
    for event in [over, Event::Reported { written: true }] {
        ended.apply(&event, ended.updated_at).unwrap();
        events.push(ended.recorded(event));
    }
    Change::replace(&ended, &events)
        .make(&mut rows, FIRST)
        .unwrap();
    for (holder, stays) in [(other.id, true), (ended.id, false)] {
        let mut rows = rows.clone();
        let fingerprint = ended.spec.program_sha256;
        let holder = KeyHolder {
            job: holder,
            fingerprint,
        };
        rows.put(&place::key(key), &record::encode(&holder))
            .unwrap();
        Change::Forget(vec![ended.id])
            .make(&mut rows, FIRST)
            .unwrap();
        assert_eq!(rows.contains_key(&place::key(key)[..]), stays);
    }
}
