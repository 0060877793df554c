// SPDX-License-Identifier: BSD-3-Clause
// What the process may do: as little as it can, once its ports are open.
#pragma once

#include "config/error.h"

#include <string>

namespace weir::app {

/// Whatever is started from here on gains nothing by set-uid files (no_new_privs), and nothing is written when the
/// process crashes (RLIMIT_CORE). Call before any thread exists: both are inherited. Thread: main.
void forgo_more();

/// Keeps memory out of core dumps, also of those that a handler takes, and out of other users' debuggers. Call before
/// secrets are read. Thread: any.
void hide_memory();

/// Every thread of a process that root started becomes `user`, with its groups and without any capability; state_dir and
/// what is in it become the user's first. Nothing happens if `user` is empty, or if the process is not root's: true is
/// returned if it did. An Error, with nothing or everything given up, if there is no such user, it is root, or a thread
/// kept something. Thread: main, with ports, sockets and threads open.
[[nodiscard]] Result<bool> give_up_root(const std::string& user, const std::string& state_dir);

}  // namespace weir::app
