
mod kafka;
