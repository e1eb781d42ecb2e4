/*
 * fuzz.h: what the files of the fuzzer share.
 */
#ifndef WF_FUZZ_H
#define WF_FUZZ_H

#include "utils/jsonb.h"

typedef struct WfFuzzTarget
{
	const char *name;			/* NULL ends a list */
	void		(*run) (char *text, int len);
	bool		json;			/* inputs are documents */
	bool		transaction;	/* runs in a subtransaction, with SPI */
	bool		program;		/* inputs are a line of JSON and a program */
} WfFuzzTarget;

extern const WfFuzzTarget wf_fuzz_pure[];
extern const WfFuzzTarget wf_fuzz_database[] __attribute__((weak));	/* NULL without the rooms that it needs */

/* What expressions see. */
extern Jsonb *wf_fuzz_context;
extern void wf_fuzz_begin(void);

extern Jsonb *wf_fuzz_jsonb(const char *text);
extern void wf_fuzz_check_value(const JsonbValue *value);

/* Ends the process: a promise was broken. */
extern void wf_fuzz_broken(const char *what);
extern void wf_fuzz_must(bool holds, const char *what);

/* Are the inputs of the target JSON documents, or programs? */
extern bool wf_fuzz_wants_json(void);
extern bool wf_fuzz_wants_programs(void);
extern size_t wf_fuzz_change_program(uint8_t *data, size_t size, size_t most, unsigned int seed);

extern void wf_fuzz_run_code(char *text, int len);

#endif
