#pragma once
namespace crypto::batch {

/// Overwrites the stack below the caller's frame, where functions that have returned kept what did
/// not fit into registers. For callers of code that handles keys in its own frame.
void wipe_stack();

}  // namespace crypto::batch
