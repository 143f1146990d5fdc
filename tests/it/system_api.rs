//! The messages that the existing system-api sends, as they were captured, and what it reads
//! in the answers.
