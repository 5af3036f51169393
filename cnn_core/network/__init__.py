"""From layers to native code: variables, graph, plan, the flat vector of parameters, callbacks to Python."""
