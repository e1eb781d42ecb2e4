/*
 * diagnostics.h: what a validator found, collected and never thrown.
 */
#ifndef WF_BASE_DIAGNOSTICS_H
#define WF_BASE_DIAGNOSTICS_H

#include "postgres.h"
#include "nodes/pg_list.h"

typedef enum WfSeverity
{
	WF_SEVERITY_ERROR,
	WF_SEVERITY_WARNING,
	WF_SEVERITY_INFO,
} WfSeverity;

typedef struct WfDiagnostic
{
	WfSeverity	severity;
	int			sqlstate;	/* WF002, WF007, WF006, 42P01, 42703 ... */
	const char *node;		/* id, or NULL */
	const char *path;		/* jsonpath from the definition's root: $.nodes[3].config.where */
	const char *message;
	const char *hint;		/* or NULL */
} WfDiagnostic;

typedef struct WfDiagnostics
{
	List	   *items;		/* of WfDiagnostic *, in the order found */
	int			n_errors;
	int			n_dropped;	/* found beyond `most` */
	int			most;		/* kept at the most; 1,000 unless set */
	MemoryContext memory;	/* where the items live */
} WfDiagnostics;

/* Begins an empty collection in CurrentMemoryContext. */
extern WfDiagnostics *wf_diagnostics_begin(void);

/* Adds one; node, path and hint are copied and may be NULL. Throws only for memory. */
extern void wf_diagnostics_add(WfDiagnostics *found, WfSeverity severity, int sqlstate, const char *node,
							   const char *path, const char *hint, const char *fmt, ...)
	pg_attribute_printf(7, 8);

extern const char *wf_severity_name(WfSeverity severity);

#endif
