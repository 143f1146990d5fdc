use std::time::Duration;

use super::*;

const PATIENCE: Patience = Patience {
    losses: 1,
    within: Duration::from_secs(100),
    hold: Duration::from_secs(30),
};

fn at(second: u64) -> Moment {
    let span = Duration::from_secs(second);
    Moment {
        monotonic: Monotonic(span),
        wall: Timestamp(1_000_000_000) + span,
    }
}

fn device(id: &str, hardware: Hardware) -> DeviceInfo {
    DeviceInfo {
        id: id.parse().unwrap(),
        name: id.to_owned(),
        backend_type: "simulator".to_owned(),
        hardware,
        queue_depth: 0,
        wait_seconds: 0,
        capabilities: BTreeMap::new(),
    }
}

/// A book that was told this of `sim:a`, second by second.
fn told(words: &[(u64, Hardware)]) -> Book {
    let book = Book::new(Policy::default(), PATIENCE);
    for (second, hardware) in words {
        let list = vec![device("sim:a", *hardware)];
        book.listed(list, at(*second).monotonic, at(*second));
    }
    book
}

fn statuses(book: &Book, second: u64) -> Vec<Status> {
    let lanes = book.lanes(&Limits::default(), at(second).monotonic);
    lanes.into_iter().map(|lane| lane.status).collect()
}

use Hardware::{Calibrating, Offline, Online};

#[test]
fn a_list_that_was_asked_for_earlier_changes_nothing() {
    let book = told(&[(10, Online)]);
    book.listed(vec![], at(9).monotonic, at(11));
    assert_eq!(statuses(&book, 11), [Status::Online], "it is not gone");
}

#[test]
fn an_answer_of_the_device_outlives_a_list_that_was_asked_for_before_it() {
    let book = told(&[(1, Online)]);
    let id = "sim:a".parse().unwrap();
    book.heard(&id, Calibrating, at(5).monotonic, at(6));
    book.listed(vec![device("sim:a", Online)], at(4).monotonic, at(7));
    assert_eq!(statuses(&book, 7), [Status::Calibrating]);
}

#[test]
fn what_was_heard_is_news_until_the_schedule_was_shown_it() {
    let book = told(&[(1, Online)]);
    assert!(book.has_news());
    statuses(&book, 1);
    assert!(!book.has_news());
    let id = "sim:a".parse().unwrap();
    book.heard(&id, Online, at(2).monotonic, at(2));
    assert!(!book.has_news(), "it is as it was");
    book.heard(&id, Calibrating, at(3).monotonic, at(3));
    assert!(book.has_news());
    statuses(&book, 3);
    book.lost("no route", at(3).monotonic);
    assert!(book.has_news());
    statuses(&book, 4);
    book.lost("no route", at(4).monotonic);
    assert!(!book.has_news(), "that is known");
}

#[test]
fn a_question_that_fails_late_is_no_news_beside_a_later_one_that_was_answered() {
    let book = told(&[(3, Online)]);
    book.lost("no route", at(2).monotonic);
    assert_eq!(statuses(&book, 4), [Status::Online]);
    book.lost("no route", at(5).monotonic);
    assert_eq!(statuses(&book, 6), [Status::Unreachable]);
    book.listed(Vec::new(), at(4).monotonic, at(7));
    assert_eq!(statuses(&book, 8), [Status::Unreachable], "that is older");
}

#[test]
fn a_rest_ends_when_the_book_says_and_not_before() {
    assert_eq!(told(&[(0, Online)]).next_release(), None);
    let book = told(&[(0, Online), (10, Offline), (20, Online)]);
    assert_eq!(book.next_release(), Some(at(50).monotonic));
    assert_eq!(statuses(&book, 49), [Status::Offline]);
    assert_eq!(statuses(&book, 50), [Status::Online]);
    assert_eq!(book.next_release(), None);
}
