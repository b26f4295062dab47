//! The images of the rows that a transaction wrote, each with its table.

use steadyhand::engine::{Image, Images, Table};

#[derive(Default)]
pub struct Album(pub Vec<(String, Image)>);

impl Images for Album {
    fn take(&mut self, table: &Table, image: Image) {
        self.0.push((table.name.clone(), image));
    }

    fn anew(&mut self, table: &Table) {
        self.0.retain(|(name, _)| *name != table.name);
    }
}
