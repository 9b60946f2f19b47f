//! Those who watch the page: what they ask for, and what they are told besides the events that everybody gets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Work;
use crate::tell::encode::{Encoding, Frame, frame};
use crate::tell::page::{self, Reply};
use crate::tell::schema::Event;
use crate::tell::server::connection::{Connection, Turn};
use crate::tell::server::doors::Door;
use crate::tell::server::http::{self, Request, Status};

impl Work {
    pub(super) fn request_page(&mut self, place: usize, request: &Request, now: Instant) {
        let viewers = self.viewers();
        let Some(page) = &self.page else { return };
        match page.reply(request, viewers) {
            Reply::Answer(answer) => self.answer(place, &answer, request.method),
            Reply::Watch => {
                // Before it learns of that itself: from the next moment on it is to be shown.
                self.vitals.viewers().store(viewers + 1, Ordering::Relaxed);
                let frames = page.welcome();
                let health = Event::Health(self.totals.health(&self.vitals));
                let last = [frame(&health, Encoding::EventStream), page.house(&self.vitals, viewers + 1)];
                if let Some(connection) = &mut self.connections[place] {
                    connection.stream_events(http::head(Status::Ok, page::STREAM, "").into_bytes().into());
                    connection.tell_frame(page::retry(), now);
                }
                self.welcome(place, now);
                if let Some(connection) = &mut self.connections[place] {
                    for frame in frames.into_iter().chain(last) {
                        connection.tell_frame(frame, now);
                    }
                }
            }
        }
    }

    /// Tells those who watch the page.
    pub(super) fn show(&mut self, frame: &Frame, now: Instant) {
        for place in 0..self.connections.len() {
            let Some(connection) = self.connections[place].as_mut().filter(|connection| watches(connection))
            else {
                continue;
            };
            let lost = connection.tell_frame(Arc::clone(frame), now);
            self.count_lost(Door::Page, lost);
            self.send(place, Turn::Stay, now);
        }
    }

    pub(super) fn viewers(&self) -> usize {
        self.connections.iter().flatten().filter(|connection| watches(connection)).count()
    }

    /// Tells those who watch how the device fares, which also says that the connection stands.
    pub(super) fn pulse(&mut self, now: Instant) {
        let viewers = self.viewers();
        let Some(page) = &mut self.page else { return };
        if !page.is_due(now) || viewers == 0 {
            return;
        }
        let house = page.house(&self.vitals, viewers);
        self.refresh();
        let health = Event::Health(self.totals.health(&self.vitals));
        self.show(&frame(&health, Encoding::EventStream), now);
        self.show(&house, now);
    }
}

/// Whether a connection is that of a page which gets events.
fn watches(connection: &Connection) -> bool {
    connection.door == Door::Page && connection.is_listening()
}
