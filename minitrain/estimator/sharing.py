class Sharing:
    pass
