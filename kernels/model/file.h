// SPDX-License-Identifier: BSD-3-Clause
// Bundle files on disk.
#pragma once

#include "config/error.h"
#include "kernels/model/verify.h"

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace weir::kernels {

/// Reads a bundle file whole. Refuses what is no regular file (nothing blocks on a FIFO), is empty, or is larger
/// than `max_bytes`, before memory is taken for it. Verifies nothing. Thread: any that may block.
[[nodiscard]] Result<Bytes> load_bundle_file(
    const std::string& path, std::size_t max_bytes = kDefaultMaxBundleBytes);

/// Writes `bytes` beside `path` and renames it into place, synced: readers see the old file or the new one whole.
/// Mode 0644. Thread: any that may block; not two at once for one path.
[[nodiscard]] Result<void> save_bundle_file(
    const std::string& path, std::span<const std::byte> bytes);

/// Opens, checks and reads as load_bundle_file() does, into memory that `allocate(size)` gives (null: refused).
/// `what` names the kind of file in messages; `forbidden_mode` are permission bits that it must not have.
struct ReadRequest {
    std::string path;
    std::string what;
    std::size_t max_bytes = 0;
    unsigned forbidden_mode = 0;
};
[[nodiscard]] Result<std::size_t> read_regular_file(
    const ReadRequest& request, const std::function<std::byte*(std::size_t)>& allocate);

/// Writes all of `bytes` to a file that must not exist yet, synced; removes it again where that fails.
[[nodiscard]] Result<void> write_new_file(
    const std::string& path, std::span<const std::byte> bytes, unsigned mode);

}  // namespace weir::kernels
