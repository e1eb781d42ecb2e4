/*
 * incoming.h: what the config of a trigger.webhook says, for the block, and for the engine, which receives the requests.
 *
 * Secrets stand in `auth` as `{{ $secrets.NAME }}`, alone or among other text, and nothing else may stand in braces there:
 * no run exists yet that an expression could look at.
 */
#ifndef WF_BLOCK_INCOMING_H
#define WF_BLOCK_INCOMING_H

#include "postgres.h"
#include "base/json.h"
#include "hook/path.h"
#include "nodes/pg_list.h"

typedef enum WfIncomingRespond
{
	WF_RESPOND_IMMEDIATELY,
	WF_RESPOND_WHEN_DONE,
	WF_RESPOND_NODE,
} WfIncomingRespond;

typedef struct WfIncoming
{
	WfHookPath *pattern;
	const char *method;			/* in capitals */
	bool		has_auth;
	JsonbValue	auth;			/* borrowed from the config */
	const char *secret_header;	/* the header that has the sender's secret, in small letters; NULL: none has */
	struct WfSchema *schema;	/* of the body; NULL: any */
	WfIncomingRespond respond;
} WfIncoming;

/* Reads a config that was checked, in CurrentMemoryContext; false: it is none (the definition comes from elsewhere). */
extern bool wf_block_incoming_read(const Jsonb *config, WfIncoming *out);
/* `POST /orders/{}`: what no other trigger of the tenant may have. */
extern char *wf_block_incoming_route(const WfIncoming *incoming);
/* What is wrong with a body: an array of {path, message}; NULL: nothing is. Throws WF006 and WF009 as schemas do. */
extern Jsonb *wf_block_incoming_problems(const WfIncoming *incoming, const Jsonb *body);

typedef enum WfPieceKind
{
	WF_PIECE_END,
	WF_PIECE_TEXT,
	WF_PIECE_SECRET,			/* the text is its name */
	WF_PIECE_WRONG,				/* something else in braces */
} WfPieceKind;

/* The next piece of a text of `auth`: advances *at. The text is borrowed. */
extern WfPieceKind wf_block_incoming_piece(const char **at, const char *end, const char **text, int *bytes);

#endif
