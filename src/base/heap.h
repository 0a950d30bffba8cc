// What the heap keeps of memory that is free.
#pragma once

namespace tophand {

// Gives it back to the system. glibc's heaps, one a thread as far as there are cores, only shrink
// at their end, where a small piece that is still in use holds all that is free before it: a
// request of a million messages would leave 650 MiB behind, in as many heaps as there have been
// such requests at once. It takes a walk along all that is free (10 to 100 ms after such a request,
// under 1 ms usually) and new pages for what is taken next, so it is for the end of rare, large
// work. Whoever calls while another thread is at it leaves it to that one. Thread-safe.
void return_free_memory();

// From now on every piece of 1 MiB or more is a mapping of its own, which goes back when it is
// freed. By itself glibc puts pieces of up to 32 MiB into its heaps once one as large has been
// freed, and keeps them: six answers of 8 MB at once would leave 200 MiB. For the start of a
// program that serves; large pieces cost new pages each time then (0.1 ms a MiB).
void keep_large_pieces_apart();

}  // namespace tophand
