"""The bytes of a header: where its elements lie, how text in it is spelled, what a VR allows."""
