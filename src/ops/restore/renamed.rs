//! Rows that got a key which the server takes for the one they had: the same text in other letters. One UPDATE
//! gives such a row its key back. To remove it under the one and add it under the other would take along, or cut
//! off, whatever refers to it, because that refers to both.

use std::collections::{HashMap, HashSet};

use super::desk::Desk;
use super::{Limit, PutBack, aside, key_name};
use crate::engine::{EngineError, Session, Table};
use crate::recovery::{RowImage, TableImages, Tally};
use crate::value::Value;

/// By table, the names of the keys that were given back.
#[derive(Debug, Default)]
pub struct Renamed(HashMap<String, HashSet<String>>);

impl Renamed {
    pub fn has(&self, table: &str, row: &RowImage) -> bool {
        self.0.get(table).is_some_and(|names| names.contains(&key_name(&row.key)))
    }

    /// Gives these rows their keys back; what else the change did to them is settled with all the others.
    pub async fn back(
        session: &mut Session,
        tables: &[Table],
        images: &[TableImages],
        limit: Limit,
        done: &mut PutBack,
    ) -> Result<Self, EngineError> {
        let mut renamed = Self::default();
        for images in images {
            let (existed, all) = (images.rows.existing(), images.rows.len());
            if existed == 0 || existed == all || images.head.hidden {
                continue;
            }
            let mut desk = Desk::at(session, tables, &images.head)?;
            let alike = alike(&mut desk, images, limit).await?;
            if alike.is_empty() {
                continue;
            }
            let (mut names, start) = (HashSet::new(), std::time::Instant::now());
            for rows in images.rows.chunks().rev() {
                for row in rows.map_err(|error| aside(&error))? {
                    let Some(key) = alike.get(&key_name(&row.key)) else { continue };
                    if row.before.is_none() && desk.rename(&row, key).await? {
                        names.insert(key_name(key));
                    }
                }
            }
            let tally = Tally { updated: names.len() as u64, ..Tally::default() };
            done.count(&images.head.table, tally, start.elapsed().as_secs_f64());
            renamed.0.insert(images.head.table.clone(), names);
        }
        Ok(renamed)
    }
}

/// The keys that rows had, by the names of those under which the server finds them now.
async fn alike(
    desk: &mut Desk<'_>,
    images: &TableImages,
    limit: Limit,
) -> Result<HashMap<String, Vec<Value>>, EngineError> {
    let (mut alike, mut seen) = (HashMap::new(), 0);
    for rows in images.rows.chunks().rev() {
        if !limit.allows(seen) {
            break;
        }
        let mut rows = rows.map_err(|error| aside(&error))?;
        seen += rows.len() as u64;
        rows.retain(|row| row.before.is_some() && row.after.is_none());
        let asked: HashSet<String> = rows.iter().map(|row| key_name(&row.key)).collect();
        if desk.hold(&rows).await?.keys().all(|name| asked.contains(name)) {
            continue;
        }
        for row in &rows {
            let found = desk.hold([row]).await?;
            if !found.contains_key(&key_name(&row.key)) {
                alike.extend(found.into_keys().map(|name| (name, row.key.clone())));
            }
        }
    }
    Ok(alike)
}
