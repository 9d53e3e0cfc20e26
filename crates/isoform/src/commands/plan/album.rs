//! Provides what would become of the photographs of an album, which are converted together or not at all.

use super::super::convert::stages;
use super::{Item, Prospect, image_prospect, is_measured};
use crate::failure::Result;
use crate::local::image::{Album, AlbumPlan, ImageJob, plan_album, refusal_of_album};
use crate::progress::Progress;

/// What would become of each photograph. They are encoded only where something is asked of them that nothing
/// else tells.
pub fn items(album: &Album, progress: &Progress) -> Result<Vec<Item>> {
    match plan_album(album, progress)? {
        AlbumPlan::Skip => return Ok(all(album, || Prospect::Skip)),
        AlbumPlan::Refuse(why) => return Ok(all(album, || Prospect::Refuse(why.clone()))),
        AlbumPlan::Convert => {}
    }
    let sources: Vec<_> = album.jobs.iter().map(|job| job.source.clone()).collect();
    let mut items = Vec::with_capacity(sources.len());
    for (index, job) in album.jobs.iter().enumerate() {
        progress.left(&stages(&sources[index..]));
        items.push(item(job, image_prospect(job, false, progress))?);
    }
    let fails = items.iter().any(|item| matches!(item.prospect, Prospect::Fail(_)));
    if fails || !album.jobs.iter().any(is_measured) {
        return Ok(items);
    }
    Ok(match refusal_of_album(album, progress)? {
        Some(why) => all(album, || Prospect::Refuse(why.clone())),
        None => items,
    })
}

/// The same for every photograph.
fn all(album: &Album, prospect: impl Fn() -> Prospect) -> Vec<Item> {
    let of = |job: &ImageJob| Item {
        source: job.source.clone(),
        target: job.target.clone(),
        prospect: prospect(),
    };
    album.jobs.iter().map(of).collect()
}

fn item(job: &ImageJob, found: Result<Prospect>) -> Result<Item> {
    let prospect = Prospect::of(found)?;
    Ok(Item { source: job.source.clone(), target: job.target.clone(), prospect })
}
