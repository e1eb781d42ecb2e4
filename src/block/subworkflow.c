/*
 * subworkflow.c: running another workflow as one step of this one.
 *
 * inline    within the run's transaction, as its role: the block asks for the call and the engine resumes it with the
 *           result
 * child     as a run of its own that this one waits for
 * detached  as a run of its own that is started with this segment's commit; nobody waits for it
 */
#include "postgres.h"

#include "block/block.h"
#include "block/support.h"

static const char *const subworkflow_ports[] = {"out", NULL};

static void *
subworkflow_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	if (wf_block_fixed_is(node, "errorHandling", "propagate", "catch") && !node->error_wired)
		wf_block_report(node, found, "errorHandling", "Add an edge with the sourceHandle \"error\".",
						"errorHandling \"catch\" needs an edge at port \"error\"");
	return NULL;
}

static bool
subworkflow_catches(const WfNode *node, const char *branch)
{
	return !wf_block_fixed_is(node, "errorHandling", "propagate", "propagate");
}

/* A detached one is started, and that is all. */
static bool
subworkflow_suspends(const WfNode *node)
{
	return wf_block_fixed_is(node, "mode", "inline", "child");
}

static WfOutcome
subworkflow_execute(WfStep *step)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_CALL};
	WfCall		call = {0};

	call.workflow = wf_block_config_string(step, "workflow");
	if (call.workflow == NULL || call.workflow[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"workflow\" must not be empty")));
	call.version = (int) wf_block_config_int(step, "version", 0, 1, PG_INT32_MAX);
	if (!wf_block_config(step, "input", &call.input))
		call.input = step->input;
	if (wf_block_fixed_is(step->node, "mode", "inline", "inline"))
	{
		outcome.call = call;
		return outcome;
	}
	outcome.kind = WF_OUTCOME_WAIT;
	outcome.wait.kind = wf_block_fixed_is(step->node, "mode", "inline", "child") ? WF_WAIT_RUN : WF_WAIT_NOTHING;
	outcome.wait.call = call;
	return outcome;
}

static WfOutcome
subworkflow_resume(WfStep *step, const WfReply *reply)
{
	if (!reply->failed)
		return wf_block_done(0, wf_json_copy(&reply->output));
	if (wf_block_fixed_is(step->node, "errorHandling", "propagate", "ignore"))
		return wf_block_done(0, wf_json_empty_object());
	return wf_block_fail(wf_block_keep_error(reply->error));
}

const WfBlock wf_block_subworkflow = {
	.type = "subworkflow",
	.category = "flow",
	.summary = "runs another workflow as one step",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"workflow": {"type": "string", "minLength": 1, "description": "Its name."},
			"version": {"type": ["integer", "null"], "minimum": 1, "description": "The active one unless given."},
			"input": {"description": "Its input; the input of the node unless given."},
			"mode": {
				"enum": ["inline", "child", "detached"], "default": "inline", "x-fixed": true,
				"description": "In this transaction; as a run of its own that is waited for; as one that is not."
			},
			"errorHandling": {
				"enum": ["propagate", "catch", "ignore"], "default": "propagate", "x-fixed": true,
				"description": "When it fails: the node fails; goes on at error; goes on at out with {}."
			}
		},
		"required": ["workflow"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({"description": "The output of the workflow; detached: {run_id}."}),
	.ports = subworkflow_ports,
	.flags = WF_BLOCK_ERRORS_OUT,
	.execute = subworkflow_execute,
	.prepare = subworkflow_prepare,
	.resume = subworkflow_resume,
	.catches = subworkflow_catches,
	.suspends = subworkflow_suspends,
};
