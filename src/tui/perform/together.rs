//! The lease of the open incident: looked after while it is ours, handed over when that is wanted.

use super::World;
use crate::incident::journal::{Journal, News};
use crate::incident::lease::{BEAT, Party, Request};
use crate::ops::{Stopper, share};
use crate::problem::Problem;
use crate::tui::message::Message;
use crate::tui::message::Shared;

impl World {
    /// Says once a second that we live, and hears who asks. Ends with the journal.
    pub(super) fn look_after(&self, journal: &Journal) {
        let (mut care, messages) = (journal.care(), self.messages.clone());
        tokio::spawn(async move {
            while let Some(heard) = care.look() {
                let lost = matches!(heard, Some(News::Lost(_)));
                if let Some(news) = heard {
                    let _ = messages.send(Message::Lease(news));
                }
                if lost {
                    return;
                }
                tokio::time::sleep(BEAT).await;
            }
        });
    }

    /// Whoever comes next finds the incident free, here and in the store, also where work that was
    /// stopped has not ended yet.
    pub(super) fn leave(&mut self) {
        if let Some(desk) = self.desk.take() {
            desk.journal.care().surrender();
        }
        if let Some(courier) = self.courier.take() {
            courier.stop();
        }
    }

    /// Brings every record to the store from now on.
    pub(super) fn send_to_store(&mut self, shared: Shared, journal: &Journal) {
        let stopper = Stopper::default();
        let (messages, care) = (self.messages.clone(), journal.care());
        let tell = move |news| {
            if matches!(news, share::News::Lost(_)) {
                care.surrender();
            }
            let _ = messages.send(Message::Store(news));
        };
        self.couriers.spawn(shared.courier.run(shared.bell, stopper.clone(), tell));
        self.courier = Some(stopper);
    }

    pub(super) fn hand_over(&mut self, to: &Party) {
        let Some(desk) = &self.desk else { return };
        self.send(match desk.journal.hand_over(to) {
            Ok(_) => Message::Lease(News::Lost(None)),
            Err(error) => {
                Message::Failed(Problem::refused(error.to_string()).hint("nothing was handed over"))
            }
        });
    }

    pub(super) fn refuse_take_over(&mut self, request: Request) {
        let Some(desk) = &self.desk else { return };
        if let Err(error) = request.refuse(&desk.folder, &self.actor) {
            let sentence = format!("the answer cannot be laid down: {error}");
            self.send(Message::Failed(Problem::system(sentence)));
        }
    }
}
