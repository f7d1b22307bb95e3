class TrainingCurveDisplay:
    pass
