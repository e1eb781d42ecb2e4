/*
 * secret_marker.h: what stands for a secret's value until a request is sent.
 *
 * `$secrets.NAME` evaluates to U+E000, 32 hexadecimal digits, ':', NAME, U+E001; who sends a request puts CREDENTIAL.field there
 * for what is secret of a credential. The digits are a nonce of the step's
 * execution, which only the request that comes of it has: so data that happen to hold a marker, or are made to, stay what they
 * are. The dispatcher alone puts values where markers of the very nonce are, in its own memory.
 */
#ifndef WF_BASE_SECRET_MARKER_H
#define WF_BASE_SECRET_MARKER_H

#include "postgres.h"
#include "nodes/pg_list.h"

#define WF_MARKER_NONCE_CHARS 32
#define WF_MARKER_NAME_BYTES (128 + 1 + 32)	/* NAME, or CREDENTIAL.field */

typedef struct WfSecretValue
{
	const char *name;
	int			version;
	char	   *value;			/* of wf_secret_alloc, ended by a NUL */
	int			len;
} WfSecretValue;

/* Sixteen random bytes as text. */
extern void wf_marker_make_nonce(char nonce[WF_MARKER_NONCE_CHARS + 1]);
extern bool wf_marker_is_nonce(const char *text);

/* The marker of a secret, in CurrentMemoryContext. */
extern char *wf_marker_make(const char *nonce, const char *name, int name_len);

/* Names (char *, in CurrentMemoryContext) of the markers of this nonce in a text, each once, added to `names`. */
extern List *wf_marker_names(List *names, const char *text, int len, const char *nonce);

typedef enum WfMarkerStyle
{
	WF_MARKER_PLAIN,			/* the value as it is */
	WF_MARKER_JSON,				/* the text is JSON, the marker within a string of it */
	WF_MARKER_URL,				/* percent-encoded, all but letters, digits and -._~ */
} WfMarkerStyle;

/*
 * The text with values for the markers of this nonce. Without any it is the text itself; else a new one, of wf_secret_alloc,
 * ended by a NUL. A marker whose name is not among the values stays as it is. Throws for lack of memory only.
 */
extern const char *wf_marker_fill(const char *text, int len, const char *nonce, const WfSecretValue *values, int n_values,
								  WfMarkerStyle style, int *out_len);
/* How long that will be. */
extern int64 wf_marker_filled_bytes(const char *text, int len, const char *nonce, const WfSecretValue *values, int n_values,
									WfMarkerStyle style);

/* Overwrites the values: they have served. */
extern void wf_marker_wipe(WfSecretValue *values, int n_values);

#endif
