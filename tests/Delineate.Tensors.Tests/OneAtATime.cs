using Xunit;

// The pool's counters, the number of threads and the thread team belong to the whole process: a test that ran beside another could find the
// team taken, run on one thread only, and prove nothing about two.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
