/*
 * fuzz.h: what the fuzzer's mutator asks of the fuzzer.
 */
#ifndef WF_FUZZ_H
#define WF_FUZZ_H

/* Are the inputs of the target JSON documents? */
extern bool wf_fuzz_wants_json(void);

#endif
