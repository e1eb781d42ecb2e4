/*
 * journal.h: the steps of a segment, in memory until it ends. Private to this room.
 */
#ifndef WF_ENGINE_JOURNAL_H
#define WF_ENGINE_JOURNAL_H

#include "engine/state.h"

/* Takes the next sequence number. Throws WF006 beyond workflow.max_iterations. */
extern int	wf_journal_next(Run *run);

typedef struct JournalEntry
{
	int			seq;
	const WfNode *node;
	const char *path;			/* prefix of the frame */
	const char *status;
	const char *port;
	int			attempt;
	int			input_from;
	const JsonbValue *input;	/* when input_from is -1 */
	Jsonb	   *output;
	Jsonb	   *error;
	TimestampTz started_at;
	List	   *log;			/* of char * */
	Jsonb	   *wrote;
} JournalEntry;

/* Notes an ended step; copies all. Throws WF006 when the journal grows over its limit, unless the run has failed. */
extern void wf_journal_add(Run *run, const JournalEntry *entry);

/* Writes the record of the run, which has ended with `status`, and that of its last segment. */
extern void wf_journal_write(Run *run, const char *status, Jsonb *output, Jsonb *error);
/* Writes the record of a segment, as the run's settings ask. */
extern void wf_journal_write_segment(Run *run, const char *status, bool failed);

/* Dry runs: all steps as an array. */
extern Jsonb *wf_journal_trace(const Run *run);

/* ISO 8601 with its offset. */
extern char *wf_engine_timestamp_text(TimestampTz time);

#endif
