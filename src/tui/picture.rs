//! When the terminal gets a picture, and when all of it.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Size;

use super::app::App;
use super::{terminal, view};

/// No two sizes of a window are drawn sooner after each other.
const BETWEEN_SIZES: Duration = Duration::from_millis(20);

/// What stands on the terminal.
pub struct Picture<'a, B: Backend> {
    screen: &'a mut Terminal<B>,
    pub guard: &'a terminal::Guard,
    size: Size,
    /// When all of it was last drawn anew.
    anew: Option<tokio::time::Instant>,
    /// Somebody else may have drawn over it.
    pub due: bool,
}

impl<'a, B: Backend> Picture<'a, B> {
    pub fn first(
        screen: &'a mut Terminal<B>,
        guard: &'a terminal::Guard,
        app: &mut App,
    ) -> Result<Self, B::Error> {
        let size = screen.draw(|frame| view::view(app, frame))?.area.as_size();
        Ok(Self { screen, guard, size, anew: None, due: false })
    }

    /// Draws, but nothing at all soon after a picture that was drawn anew: whoever drags a window
    /// sends many sizes, and sees the last. Gives when the picture was made; until then it was our
    /// time, and nobody's link is to blame for a large text.
    pub async fn draw(&mut self, app: &mut App) -> Result<Instant, B::Error> {
        if let Some(anew) = self.anew {
            tokio::time::sleep_until(anew + BETWEEN_SIZES).await;
        }
        let due = std::mem::take(&mut self.due);
        if due {
            terminal::repaint(self.screen)?;
        }
        let mut made = Instant::now();
        let drawn = self.screen.draw(|frame| {
            view::view(app, frame);
            made = Instant::now();
        })?;
        let size = drawn.area.as_size();
        if due || size != self.size {
            self.anew = Some(tokio::time::Instant::now());
        }
        self.size = size;
        Ok(made)
    }
}
